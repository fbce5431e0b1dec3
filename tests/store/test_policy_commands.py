"""Changes of policies as commands: they add up in their order, none is lost, and one too many is not taken."""

from dispatcher.domain.ids import JobId
from dispatcher.domain.words import FollowUp
from dispatcher.ports.store import Command, JobStore, Next
from tests.store.records import DAY, LEASE, T0, added, claimed, extend, stop

LATER = Next(T0 + 500, FollowUp.POLL)


def policies(number: int = 1, by: str = "operator") -> Command:
    return Command("policies", by, T0, detail=f'{{"extend":{{"max_times":{number}}},"x":"Ö \\"}}\'"}}')


def test_a_change_makes_the_job_due_and_waits_for_the_claim_with_every_word_of_it(store: JobStore) -> None:
    job = added(store, due_at=T0 + 100)
    assert store.command(job.id, policies(), now=T0 + 3)
    assert store.next_due(job.id) == Next(T0 + 3, FollowUp.DISPATCH)
    assert claimed(store, job.id, T0 + 3).commands == (policies(),)


def test_changes_add_up_in_their_order_among_other_commands(store: JobStore) -> None:
    job = added(store)
    commands = (policies(1), extend(60), policies(2), policies(2), stop())
    for command in commands:
        assert store.command(job.id, command, now=T0)
    assert store.take_due(now=T0, limit=1, grace=30)[0].follow_up is FollowUp.STOP
    assert claimed(store, job.id).commands == commands


def test_a_change_that_comes_in_while_a_worker_saves_is_told_it_or_makes_the_job_due_again(
    store: JobStore,
) -> None:
    job = added(store)
    claim = claimed(store, job.id)
    store.command(job.id, policies(1), now=T0)
    claim = store.save(claim, job, [], now=T0, lease=LEASE)
    assert claim.commands == (policies(1),)
    store.command(job.id, policies(2), now=T0)
    assert not store.release(claim, job, [], now=T0, due=LATER, retention=DAY, taken=1)
    assert store.next_due(job.id) == Next(T0, FollowUp.DISPATCH)
    assert claimed(store, job.id).commands == (policies(2),)


def test_one_change_too_many_is_not_taken_and_says_so(store: JobStore) -> None:
    job = added(store)
    for number in range(100):
        assert store.command(job.id, policies(number), now=T0)
    assert not store.command(job.id, policies(100), now=T0)
    assert store.command(job.id, extend(), now=T0)  # dropped, as before
    assert store.command(job.id, stop(), now=T0)
    claim = claimed(store, job.id)
    assert claim.commands == (*(policies(number) for number in range(100)), stop())
    store.release(claim, job, [], now=T0, due=LATER, retention=DAY, taken=101)
    assert store.command(job.id, policies(100), now=T0)
    assert claimed(store, job.id).commands == (policies(100),)


def test_unknown_jobs_take_no_change(store: JobStore) -> None:
    assert not store.command(JobId("job_unknown"), policies(), now=T0)
