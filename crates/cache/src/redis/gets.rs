//! Values asked for at the same time, in one question.
//!
//! A question costs the client, the system and Redis about as much whether it is about one key or ten. So what is asked
//! for while another question is under way waits until everybody who is ready to run has run, and then all that was
//! asked for goes as one `MGET`, as Facebook's `DataLoader` does it. Nobody waits for time to pass,
//! and who is alone waits for nobody.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use parking_lot::Mutex;
use tokio::{runtime::Handle, sync::oneshot, task::yield_now};

use super::trouble::RedisAway;

/// What becomes of a question about one key: its value, if it is there.
pub(super) type Answer = Result<Option<Vec<u8>>, RedisAway>;

/// The questions of one runtime.
#[derive(Default)]
pub(super) struct Gets {
    /// What will be asked together next, if somebody is about to ask.
    open: Mutex<Option<Vec<Wanted>>>,
    under_way: AtomicUsize,
}

/// A key, and whoever wants its value.
struct Wanted {
    key: String,
    answer: oneshot::Sender<Answer>,
}

/// A question under way.
pub(super) struct UnderWay<'a>(&'a AtomicUsize);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Gets {
    /// Leave to ask at once, for whoever is alone.
    pub(super) fn alone(&self) -> Option<UnderWay<'_>> {
        self.under_way
            .compare_exchange(0, 1, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
            .then(|| UnderWay(&self.under_way))
    }

    /// Asks for a key together with all who want one now. `ask` is called by one of them, with the keys of all, and
    /// gives as many answers, in their order.
    pub(super) async fn together<Asking>(
        self: &Arc<Self>,
        key: String,
        ask: impl FnOnce(Vec<String>) -> Asking + Send + 'static,
    ) -> Answer
    where
        Asking: Future<Output = Vec<Answer>> + Send + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        let first = {
            let mut open = self.open.lock();
            let first = open.is_none();
            open.get_or_insert_default().push(Wanted { key, answer: sender });
            first
        };
        if first {
            let gets = Arc::clone(self);
            Bound(Some(Box::pin(async move {
                yield_now().await;
                gets.ask(ask).await;
            })))
            .await;
        }
        // Nobody answers when the runtime ends.
        receiver.await.unwrap_or(Err(RedisAway::NotAsked))
    }

    async fn ask<Asking>(&self, ask: impl FnOnce(Vec<String>) -> Asking)
    where
        Asking: Future<Output = Vec<Answer>>,
    {
        let wanted = self.open.lock().take().unwrap_or_default();
        self.under_way.fetch_add(1, Ordering::Relaxed);
        let under_way = UnderWay(&self.under_way);
        let (keys, waiting): (Vec<_>, Vec<_>) =
            wanted.into_iter().map(|Wanted { key, answer }| (key, answer)).unzip();
        let answers = ask(keys).await;
        drop(under_way);
        for (waiting, answer) in waiting.into_iter().zip(answers) {
            // Who no longer waits is not told.
            drop(waiting.send(answer));
        }
    }
}

/// What others wait for: when whoever does it gives up, a task of its own goes on with it.
struct Bound(Option<Pin<Box<dyn Future<Output = ()> + Send>>>);

impl Future for Bound {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let Some(work) = &mut self.0 else { return Poll::Ready(()) };
        let progress = work.as_mut().poll(context);
        if progress.is_ready() {
            self.0 = None;
        }
        progress
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        if let Some(work) = self.0.take()
            && let Ok(runtime) = Handle::try_current()
        {
            runtime.spawn(work);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::{task::JoinHandle, time::timeout};

    use super::*;

    /// What was asked for in each question, and a permit for each that may be answered.
    #[derive(Default)]
    struct Server {
        questions: Mutex<Vec<Vec<String>>>,
        answers: tokio::sync::Notify,
    }

    impl Server {
        async fn answer(self: Arc<Self>, keys: Vec<String>) -> Vec<Answer> {
            self.questions.lock().push(keys.clone());
            self.answers.notified().await;
            keys.into_iter().map(|key| Ok(Some(key.into_bytes()))).collect()
        }
    }

    fn asked(gets: &Arc<Gets>, server: &Arc<Server>, key: &str) -> JoinHandle<Answer> {
        let (gets, server, key) = (Arc::clone(gets), Arc::clone(server), key.to_owned());
        tokio::spawn(async move { gets.together(key, |keys| server.answer(keys)).await })
    }

    async fn settled() {
        for _ in 0..20 {
            yield_now().await;
        }
    }

    #[tokio::test]
    async fn what_is_asked_at_the_same_time_goes_as_one_question() {
        let (gets, server) = <(Arc<Gets>, Arc<Server>)>::default();

        let asked: Vec<_> = ["a", "b", "c"].map(|key| asked(&gets, &server, key)).into();
        settled().await;
        server.answers.notify_one();

        for (asked, key) in asked.into_iter().zip(["a", "b", "c"]) {
            assert_eq!(asked.await.unwrap(), Ok(Some(key.as_bytes().to_vec())));
        }
        assert_eq!(*server.questions.lock(), [["a", "b", "c"]]);
    }

    #[tokio::test]
    async fn what_is_asked_later_does_not_wait_for_the_question_under_way() {
        let (gets, server) = <(Arc<Gets>, Arc<Server>)>::default();
        let before = asked(&gets, &server, "a");
        settled().await;

        let after = asked(&gets, &server, "b");
        settled().await;

        assert_eq!(*server.questions.lock(), [["a"], ["b"]]);
        server.answers.notify_waiters();
        assert_eq!(before.await.unwrap(), Ok(Some(b"a".to_vec())));
        assert_eq!(after.await.unwrap(), Ok(Some(b"b".to_vec())));
    }

    #[tokio::test]
    async fn who_gives_up_leaves_the_others_their_answers() {
        let (gets, server) = <(Arc<Gets>, Arc<Server>)>::default();
        let first = asked(&gets, &server, "a");
        let second = asked(&gets, &server, "b");
        // Before the question, and with the question under way.
        yield_now().await;
        first.abort();
        settled().await;
        let third = asked(&gets, &server, "c");
        let fourth = asked(&gets, &server, "d");
        settled().await;
        third.abort();
        settled().await;

        server.answers.notify_waiters();

        let answers = timeout(Duration::from_secs(10), async { (second.await, fourth.await) });
        let (second, fourth) = answers.await.unwrap();
        assert_eq!(second.unwrap(), Ok(Some(b"b".to_vec())));
        assert_eq!(fourth.unwrap(), Ok(Some(b"d".to_vec())));
        assert_eq!(*server.questions.lock(), [["a", "b"], ["c", "d"]]);
    }

    #[tokio::test]
    async fn one_at_a_time_is_alone() {
        let gets = Gets::default();

        let alone = gets.alone();

        assert!(alone.is_some() && gets.alone().is_none());
        drop(alone);
        assert!(gets.alone().is_some());
    }
}
