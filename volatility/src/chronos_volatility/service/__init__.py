"""The daily steps as an AWS account runs them: functions of Lambda that the chain calls, and the training as a task.

__main__   the program of the image: a function where Lambda runs it, else the command `volatility`
lambdas    the functions
session    which session an event is about
watch      what the check measures
metrics    metrics, written as log events
"""
