"""What answers requests: the stored forecast of a session, or the champion on features that somebody gives.

openapi.json    the one description of the API: for the gateway, for tests, for clients
handler         the Lambda function
app             routes, and errors as answers
predictions     forecasts as the daily step leaves them here, and how stale they are
models          the champion, loaded once and looked for again each minute; the golden forecast
features        the features of a request, checked

Nothing here imports pandas, pyarrow or scikit-learn: imports decide a cold start.
"""
