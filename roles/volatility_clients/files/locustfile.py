"""A client of the API, for Locust: it asks for the last forecast, for the same one by its date, and for the model."""

import os

from locust import FastHttpUser, constant, task


class Client(FastHttpUser):
    wait_time = constant(1)

    def on_start(self):
        self.keyed = {"x-api-key": os.environ["VOLATILITY_API_KEY"]}
        self.always = os.environ.get("VOLATILITY_API_SESSION") or None
        self.session = self.always

    @task(8)
    def latest(self):
        body = {} if self.session is None else {"as_of_date": self.session}
        name = "/predict" if self.session is None else "/predict of a session"
        with self.client.post("/predict", json=body, headers=self.keyed, name=name, catch_response=True) as answer:
            if answer.status_code == 200:
                self.session = self.always or (None if self.session else answer.json()["as_of_date"])

    @task(1)
    def info(self):
        self.client.get("/info", headers=self.keyed)

    @task(1)
    def ready(self):
        self.client.get("/ready")
