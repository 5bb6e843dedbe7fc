"""The timer: APScheduler decides when. Its jobs only offer a name or set a flag, and never call the scheduler.

Known of APScheduler 3.11, and avoided here: ``shutdown(wait=True)`` deadlocks with a job that calls the scheduler; a
job that adds its own id again while it runs is lost; ``running`` stays True after its thread has died; what comes
round stands still after the clock was set back, until that has caught up (see :meth:`Timer.follow_clock`); a shutdown
ends its thread by an exception where a job is just being fired (see :class:`_Scheduler`).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_MAX_INSTANCES, EVENT_JOB_MISSED, JobEvent
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.base import JobLookupError
from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.schedulers.base import STATE_STOPPED
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger

from rotator import events
from rotator.show.logs import emit

_FAULTS = {EVENT_JOB_MISSED: "missed", EVENT_JOB_ERROR: "error"}
_SET_BACK_SECONDS = 0.5  # more than what a clock is slewed by between two looks


def _wall_ahead_seconds() -> float:
    return time.time() - time.monotonic()


def _is_not_told_by_us(record: logging.LogRecord) -> bool:
    """Tell whether the scheduler logs something else than a time that was left out, which is an event of ours."""
    return "maximum number of running instances" not in str(record.msg)


def _tell(happened: JobEvent) -> None:
    if happened.code == EVENT_JOB_MAX_INSTANCES:
        emit(events.TIMER_OVERRUN, job=happened.job_id)
    else:
        emit(events.TIMER_FAULTED, kind=_FAULTS[happened.code], job=happened.job_id)


class _Scheduler(BackgroundScheduler):  # type: ignore[misc] # the package carries no types
    """Is told to stop without a lock, and then no longer finds the job that it fires and is about to remove."""

    def remove_job(self, job_id: str, jobstore: str | None = None) -> None:
        try:
            super().remove_job(job_id, jobstore)
        except JobLookupError:
            if self.state != STATE_STOPPED:
                raise


class Timer:
    """One date-triggered job a credential, and a few that come round."""

    def __init__(self, fire: Callable[[str], None]) -> None:
        """``fire`` is called with a name when its time has come."""
        self._fire = fire
        self._rounds: dict[str, tuple[timedelta, Callable[[], None]]] = {}
        self._offset_seconds = _wall_ahead_seconds()
        self._scheduler = _Scheduler(
            jobstores={"default": MemoryJobStore()},
            executors={
                "default": ThreadPoolExecutor(2),
                "rounds": ThreadPoolExecutor(1),
                "beat": ThreadPoolExecutor(1),
            },
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
            timezone=UTC,
        )
        # One that is there already is not added again.
        logging.getLogger("apscheduler.scheduler").addFilter(_is_not_told_by_us)
        self._scheduler.add_listener(_tell, EVENT_JOB_MAX_INSTANCES | sum(_FAULTS))

    def start(self) -> None:
        """Begin to fire."""
        self._scheduler.start()

    def arm(self, name: str, at: datetime) -> None:
        """Fire ``name`` at a time; a time that was set before is forgotten."""
        self._scheduler.add_job(
            self._fire, DateTrigger(at, timezone=UTC), args=[name], id=f"at:{name}", replace_existing=True
        )

    def disarm(self, name: str) -> None:
        """Do not fire ``name`` any more."""
        with suppress(JobLookupError):
            self._scheduler.remove_job(f"at:{name}")

    def every(self, pause: timedelta, job: Callable[[], None], *, executor: str) -> None:
        """Call ``job`` again and again, on a thread of its own kind (``rounds`` or ``beat``), from now on.

        Where it is called so already, it goes on as it does.
        """
        if self._rounds.get(executor) != (pause, job):
            self._plan(pause, job, executor)
            self._rounds[executor] = pause, job

    def _plan(self, pause: timedelta, job: Callable[[], None], executor: str) -> None:
        trigger = IntervalTrigger(seconds=max(pause.total_seconds(), 0.1), timezone=UTC)
        self._scheduler.add_job(
            job, trigger, executor=executor, id=f"every:{executor}", replace_existing=True
        )

    def follow_clock(self) -> None:
        """Plan what comes round anew if the clock was set back. Not to be called by a job."""
        before, self._offset_seconds = self._offset_seconds, _wall_ahead_seconds()
        if self._offset_seconds < before - _SET_BACK_SECONDS:
            for executor, (pause, job) in tuple(self._rounds.items()):
                self._plan(pause, job, executor)

    def stop(self) -> None:
        """Fire no more. Does not wait for a job that runs."""
        self._scheduler.shutdown(wait=False)
