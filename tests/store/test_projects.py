"""Whose jobs an account's are on the network, kept for all processes."""

from dispatcher.domain.ids import ProjectAddress
from dispatcher.ports.store import JobStore
from tests.store.records import account

ONE = ProjectAddress("7XkMcd1AYjCJU7SjrpGmGWHshfr9iVTiw88u6CThYEpL")
OTHER = ProjectAddress("GWECtAsFvcBZw79Y5uHUpdGxy6LNEQtmFvzZNW9xd8oq")


def test_a_project_is_kept_by_account_and_the_last_one_stands(store: JobStore) -> None:
    assert store.project(account()) is None
    store.note_project(account(), ONE)
    store.note_project(account("other"), OTHER)
    assert (store.project(account()), store.project(account("other"))) == (ONE, OTHER)
    store.note_project(account(), OTHER)
    store.note_project(account(), OTHER)
    assert store.project(account()) == OTHER
