//! One commit for everybody who writes the same kind of thing at the same time.
//!
//! A commit waits for the disk, and costs the same for one row as for a thousand. So whoever comes while a commit is under
//! way waits in a queue, and the next one takes along all that go together. Nobody is kept waiting for company: a caller
//! who is alone is committed at once.

use std::{
    collections::VecDeque,
    marker::PhantomData,
    sync::{Mutex, MutexGuard, PoisonError},
};

use domain::RepositoryError;
use tokio::sync::oneshot;
use tracing::{Instrument as _, Span};

use crate::{
    error::Failure,
    query_statistics::{Operation, Table},
    store::Store,
};

/// What one caller wants to be written, all of it or nothing.
pub(crate) trait GroupWrite: Sized + Send + Sync + 'static {
    /// What the caller is told.
    type Written: Send + 'static;

    const OPERATION: Operation;
    const TABLE: Table;

    /// Rows of one transaction at most, unless one caller brings more.
    const MOST_ROWS: usize;

    /// Transactions that are under way at most. While one is written or waits for the disk, another may be prepared.
    const MOST_COMMITTERS: usize;

    fn group_commit(store: &Store) -> &GroupCommit<Self>;

    /// How many rows it is.
    fn rows(&self) -> usize;

    /// Whether one transaction can write both.
    fn goes_with(&self, other: &Self) -> bool;

    /// Writes what these callers want in one transaction, and returns what each is told. What one wants too much does not
    /// stop another.
    fn write(store: &Store, callers: &[Self]) -> impl Future<Output = Told<Self>> + Send;
}

/// What one caller is told.
pub(crate) type Outcome<W> = Result<<W as GroupWrite>::Written, RepositoryError>;

/// What all callers of a transaction are told, in their order, unless the whole of it failed.
pub(crate) type Told<W> = Result<Vec<Outcome<W>>, RepositoryError>;

/// Who waits for a commit.
pub(crate) struct GroupCommit<W: GroupWrite> {
    queue: Mutex<Queue<W>>,
}

struct Queue<W: GroupWrite> {
    waiting: VecDeque<Waiting<W>>,
    committers: usize,
}

struct Waiting<W: GroupWrite> {
    wanted: W,
    answer: oneshot::Sender<Answer<W>>,
    /// What log lines of the caller are part of.
    span: Span,
}

struct Answer<W: GroupWrite> {
    outcome: Outcome<W>,
    /// Whether it was done as part of this caller's request.
    is_own: bool,
}

/// Writes what one caller wants, and returns when it is committed.
pub(crate) async fn write<W: GroupWrite>(store: &Store, wanted: W) -> Outcome<W> {
    let (answer, answered) = oneshot::channel();
    let begins = {
        let mut queue = W::group_commit(store).queue();
        queue.waiting.push_back(Waiting { wanted, answer, span: Span::current() });
        let begins = queue.committers < W::MOST_COMMITTERS;
        queue.committers += usize::from(begins);
        begins
    };
    if begins {
        // A task of its own: a caller who goes away takes nobody else's commit along.
        store.spawn(Committer::<W>::new(store.clone()).run());
    }
    let is_counted = |answer: &Result<Answer<W>, _>| answer.as_ref().is_ok_and(|it| it.is_own);
    match store.waits_for(W::OPERATION, W::TABLE, answered, is_counted).await {
        Ok(answer) => answer.outcome,
        Err(lost) => Err(Failure::unavailable(lost).into()),
    }
}

impl<W: GroupWrite> Default for GroupCommit<W> {
    fn default() -> Self {
        Self { queue: Mutex::new(Queue { waiting: VecDeque::new(), committers: 0 }) }
    }
}

impl<W: GroupWrite> GroupCommit<W> {
    fn queue(&self) -> MutexGuard<'_, Queue<W>> {
        // Nothing that holds it can stop half-way.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<W: GroupWrite> Queue<W> {
    /// Takes whoever is first, and whoever can come along. The others keep their places.
    fn take(&mut self) -> Vec<Waiting<W>> {
        let mut taken: Vec<Waiting<W>> = Vec::new();
        let (mut rows, mut left) = (0, VecDeque::new());
        for next in self.waiting.drain(..) {
            let comes_along = rows + next.wanted.rows() <= W::MOST_ROWS
                && taken.iter().all(|it| next.wanted.goes_with(&it.wanted));
            if taken.is_empty() || comes_along {
                rows += next.wanted.rows();
                taken.push(next);
            } else {
                left.push_back(next);
            }
        }
        self.waiting = left;
        taken
    }
}

/// Commits for others until nobody waits.
struct Committer<W: GroupWrite> {
    store: Store,
    has_left: bool,
    writes: PhantomData<fn() -> W>,
}

impl<W: GroupWrite> Committer<W> {
    const fn new(store: Store) -> Self {
        Self { store, has_left: false, writes: PhantomData }
    }

    async fn run(mut self) {
        while let Some(waiting) = self.next() {
            // What there is to tell of it is told as part of the first one's request.
            let span = waiting.first().map_or_else(Span::none, |first| first.span.clone());
            let (callers, answers): (Vec<_>, Vec<_>) =
                waiting.into_iter().map(|it| (it.wanted, it.answer)).unzip();
            let outcomes = self.write(&callers).instrument(span).await;
            for (place, (answer, outcome)) in answers.into_iter().zip(outcomes).enumerate() {
                // Whoever went away does not hear of it.
                let _ = answer.send(Answer { outcome, is_own: place == 0 });
            }
        }
    }

    /// Who is to be committed next.
    ///
    /// With nobody left, this one leaves before anybody else can queue up and rely on it.
    fn next(&mut self) -> Option<Vec<Waiting<W>>> {
        let mut queue = W::group_commit(&self.store).queue();
        let taken = queue.take();
        if taken.is_empty() {
            queue.committers -= 1;
            self.has_left = true;
            return None;
        }
        Some(taken)
    }

    async fn write(&self, callers: &[W]) -> Vec<Outcome<W>> {
        match W::write(&self.store, callers).await {
            Ok(outcomes) => outcomes,
            Err(error @ RepositoryError::Unavailable(_)) => failed::<W>(&error, callers.len()),
            // Something in it is more than the store can take: only whoever brought it shall hear of that.
            Err(error) if callers.len() == 1 => failed::<W>(&error, 1),
            Err(_) => {
                let mut outcomes = Vec::with_capacity(callers.len());
                for caller in callers {
                    let alone = W::write(&self.store, std::slice::from_ref(caller)).await;
                    outcomes.extend(alone.unwrap_or_else(|error| failed::<W>(&error, 1)));
                }
                outcomes
            }
        }
    }
}

impl<W: GroupWrite> Drop for Committer<W> {
    /// One that was cut off tells whoever relies on it.
    fn drop(&mut self) {
        if !self.has_left {
            let mut queue = W::group_commit(&self.store).queue();
            queue.committers -= 1;
            if queue.committers == 0 {
                queue.waiting.clear();
            }
        }
    }
}

fn failed<W: GroupWrite>(error: &RepositoryError, callers: usize) -> Vec<Outcome<W>> {
    (0..callers).map(|_| Err(error.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many rows of something, which one transaction writes once.
    #[derive(Debug)]
    struct Wanted(char, usize);

    impl GroupWrite for Wanted {
        type Written = ();

        const OPERATION: Operation = Operation::Save;
        const TABLE: Table = Table::StyleProfiles;
        const MOST_ROWS: usize = 10;
        const MOST_COMMITTERS: usize = 1;

        fn group_commit(_: &Store) -> &GroupCommit<Self> {
            panic!("nothing is committed here")
        }

        fn rows(&self) -> usize {
            self.1
        }

        fn goes_with(&self, other: &Self) -> bool {
            self.0 != other.0
        }

        async fn write(_: &Store, _: &[Self]) -> Told<Self> {
            panic!("nothing is committed here")
        }
    }

    fn taken(queue: &mut Queue<Wanted>) -> String {
        queue.take().iter().map(|it| it.wanted.0).collect()
    }

    #[test]
    fn whoever_is_first_takes_along_all_that_go_together() {
        let wanted = [('a', 3), ('b', 3), ('a', 1), ('c', 5), ('d', 4), ('e', 11), ('f', 1)];
        let waiting = wanted.map(|(what, rows)| {
            let (answer, _) = oneshot::channel();
            Waiting { wanted: Wanted(what, rows), answer, span: Span::none() }
        });
        let mut queue = Queue { waiting: waiting.into(), committers: 0 };

        let rounds: Vec<_> = std::iter::repeat_with(|| taken(&mut queue))
            .take_while(|taken| !taken.is_empty())
            .collect();

        // Whoever is first is taken however much it is.
        assert_eq!(rounds, ["abd", "acf", "e"]);
    }
}
