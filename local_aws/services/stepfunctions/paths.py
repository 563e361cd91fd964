"""The states whose work goes several ways at once: Parallel and (inline) Map.

moto 5.2.5 goes on with the other branches after one has failed or the execution was stopped, takes a thread for each
item of a Map state, and calls itself once more for each.
"""

from __future__ import annotations

import threading
from typing import Any

from moto.stepfunctions.parser.api import HistoryEventType
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration import inline_iteration_component
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.iteration_worker import IterationWorker
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.job import JobPool
from moto.stepfunctions.parser.asl.component.state.exec.state_parallel import branches_decl
from moto.stepfunctions.parser.asl.component.state.exec.state_parallel.branch_worker import BranchWorker

from local_aws.clock import CLOCK
from local_aws.services.patching import replace
from local_aws.services.stepfunctions.failures import FailureEventException, failure
from local_aws.services.stepfunctions.run import Interrupted, Path, Position, moment

MOST_WORKERS = 40  # of an inline Map state: about as many as AWS has when MaxConcurrency is 0


def install() -> None:
    """Let moto do this."""
    _install_parallel()
    _install_map()


def _install_parallel() -> None:
    pool_class: Any = branches_decl.BranchWorkerPool
    on_terminated = pool_class.on_terminated

    def on_branch_terminated(self: Any, env: Any) -> None:
        with self.local_aws_lock:
            self.local_aws_path.wake()
            on_terminated(self, env)
            if not self._termination_event.is_set():
                self.local_aws_path.rest()
        env.local_aws_path.finish()

    def eval_branches(self: Any, env: Any) -> None:
        given = env.stack.pop()
        path: Path = env.local_aws_path
        pool = pool_class(workers_num=len(self.programs))
        pool.local_aws_path, pool.local_aws_lock = path, threading.Lock()
        place = env.local_aws_place.next()
        workers = []
        for number, program in enumerate(self.programs):
            frame = env.open_inner_frame()
            frame.states.reset(input_value=given)
            frame.local_aws_path = Path(f"branch {number} of execution {env.local_aws_run.execution.name}")
            frame.local_aws_place = Position(f"{place}/{number}")
            workers.append(BranchWorker(branch_worker_comm=pool, program=program, env=frame))
        path.rest()
        for worker in workers:
            worker.start()
        pool._termination_event.wait()
        path.wake()
        _end_branches(self, env, pool, workers)

    replace(branches_decl.BranchesDecl, _eval_body=eval_branches)
    replace(pool_class, on_terminated=on_branch_terminated)


def _end_branches(self: Any, env: Any, pool: Any, workers: list[Any]) -> None:
    failed = pool.get_exit_event_details()
    if failed is not None:
        for worker in workers:
            worker.stop(stop_date=moment(CLOCK.now()), cause=None, error=None)
            env.close_frame(worker.env)
        details = {"executionFailedEventDetails": failed}
        raise FailureEventException(failure(env, failed.get("error", ""), HistoryEventType.ExecutionFailed, details))
    if not env.is_running():
        raise Interrupted
    env.stack.append([worker.env.states.get_input() for worker in workers])
    for worker in workers:
        env.close_frame(worker.env)


def _install_map() -> None:
    component: Any = inline_iteration_component.InlineIterationComponent
    eval_job = IterationWorker._eval_job

    def eval_map(self: Any, env: Any) -> None:
        given = env.stack.pop()
        path: Path = env.local_aws_path
        place = env.local_aws_place.next()
        program = self._get_iteration_program()
        pool: Any = JobPool(job_program=program, job_inputs=given.input_items)
        pool.local_aws_path, pool.local_aws_place = path, place
        if given.input_items:
            number = min(given.max_concurrency or MOST_WORKERS, len(given.input_items))
            paths = [Path(f"item of execution {env.local_aws_run.execution.name}") for _ in range(number)]
            path.rest()
            for one in paths:
                worker = self._create_worker(env=env, eval_input=given, job_pool=pool)
                threading.Thread(target=_work, args=(worker, one), name="item", daemon=True).start()
            pool._termination_event.wait()
            path.wake()
        failed = pool.get_worker_exception()
        if failed is not None:
            raise failed
        if not env.is_running():
            raise Interrupted
        env.stack.append([job.job_output for job in pool.get_closed_jobs()])

    def notify_on_termination(self: Any) -> None:
        if self._is_terminated():
            self.local_aws_path.wake(self._termination_event)

    def eval_job_in_place(self: Any, env: Any, job: Any) -> None:
        env.local_aws_place = Position(f"{self._job_pool.local_aws_place}/{job.job_index}")
        eval_job(self, env=env, job=job)

    replace(component, _eval_body=eval_map)
    replace(JobPool, _notify_on_termination=notify_on_termination)
    replace(IterationWorker, _eval_job=eval_job_in_place)


def _work(worker: Any, path: Path) -> None:
    """Do one job after the other (moto calls itself for each). As IterationWorker._eval_pool."""
    frame = worker._env.open_frame()
    frame.local_aws_path = path
    try:
        job = worker._job_pool.next_job()
        while job is not None:
            job_frame = frame.open_inner_frame()
            worker._eval_job(env=job_frame, job=job)
            frame.close_frame(job_frame)
            failed = isinstance(job.job_output, Exception)
            following = None if failed or not worker._env.is_running() else worker._job_pool.next_job()
            if following is None:
                if not failed:
                    last = job_frame.event_history_context.last_published_event_id
                    frame.event_history_context.source_event_id = last
                worker._env.close_frame(frame)
            worker._job_pool.close_job(job)
            job = following
    finally:
        worker._env.close_frame(frame)
        if not worker._env.is_running():  # stopped: nobody will close the jobs that are left
            worker._job_pool.local_aws_path.wake(worker._job_pool._termination_event)
        path.finish()
