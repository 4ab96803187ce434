//! Values asked for at the same time, in one question.
//!
//! A question costs the client, the system and Redis about as much whether it is about one key or ten. So what is asked
//! for while another question is under way waits until everybody who is ready to run has run, and then all that was
//! asked for goes as one `MGET`, as Facebook's `DataLoader` does it. Those who are answered together then ask together
//! again, if they ask for more: for the slower of them, who compute on other threads perhaps, the first one waits for a few
//! turns of the runtime, unless these take long. Nobody sleeps for it, and who is and was alone waits for nobody.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{runtime::Handle, sync::oneshot, task::yield_now, time::Instant};

use super::trouble::RedisAway;

/// So long at most a question waits for as many as asked the last one,
const PATIENCE: Duration = Duration::from_micros(100);
/// and for so many turns of the runtime, each of which takes a microsecond when there is nothing else to do.
const TURNS: usize = 16;

/// What becomes of a question about one key: its value, if it is there.
pub(super) type Answer = Result<Option<Vec<u8>>, RedisAway>;

/// The questions of one runtime.
#[derive(Default)]
pub(super) struct Gets {
    /// What will be asked together next, if somebody is about to ask.
    open: Mutex<Option<Vec<Wanted>>>,
    under_way: AtomicUsize,
    /// How many keys the last question was about: whoever asked it will probably ask the next one too.
    last: AtomicUsize,
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
        if 1 < self.last.load(Ordering::Relaxed) {
            return None;
        }
        self.under_way
            .compare_exchange(0, 1, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
            .then(|| UnderWay(&self.under_way))
    }

    /// Whether so many keys will be asked for together already that one more is better asked for by itself.
    pub(super) fn is_full(&self, most: usize) -> bool {
        most <= self.wanted()
    }

    fn wanted(&self) -> usize {
        self.open.lock().as_ref().map_or(0, Vec::len)
    }

    /// Lets everybody run who is ready to, and those of the last question come back.
    async fn gather(&self) {
        let began = Instant::now();
        for _ in 0..TURNS {
            yield_now().await;
            let are_back = self.last.load(Ordering::Relaxed) <= self.wanted();
            if are_back || PATIENCE < began.elapsed() {
                return;
            }
        }
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
            let opened = Opened { gets: Arc::clone(self), is_open: true };
            Bound(Some(Box::pin(async move {
                opened.gets.gather().await;
                opened.ask(ask).await;
            })))
            .await;
        }
        // Nobody answers when the runtime ends.
        receiver.await.unwrap_or(Err(RedisAway::NotAsked))
    }
}

/// What will be asked together, held by whoever will ask. Dropped before that, it lets those who wait know.
struct Opened {
    gets: Arc<Gets>,
    is_open: bool,
}

impl Opened {
    async fn ask<Asking>(mut self, ask: impl FnOnce(Vec<String>) -> Asking)
    where
        Asking: Future<Output = Vec<Answer>>,
    {
        let wanted = self.close();
        self.gets.under_way.fetch_add(1, Ordering::Relaxed);
        let under_way = UnderWay(&self.gets.under_way);
        let (keys, waiting): (Vec<_>, Vec<_>) =
            wanted.into_iter().map(|Wanted { key, answer }| (key, answer)).unzip();
        self.gets.last.store(keys.len(), Ordering::Relaxed);
        let answers = ask(keys).await;
        drop(under_way);
        for (waiting, answer) in waiting.into_iter().zip(answers) {
            // Who no longer waits is not told.
            drop(waiting.send(answer));
        }
    }

    fn close(&mut self) -> Vec<Wanted> {
        self.is_open = false;
        self.gets.open.lock().take().unwrap_or_default()
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        if self.is_open {
            drop(self.close());
        }
    }
}

/// What others wait for: when whoever does it gives up, a task of its own goes on with it.
struct Bound(Option<Pin<Box<dyn Future<Output = ()> + Send>>>);

impl Future for Bound {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        // Not to be polled again when this panics.
        let Some(mut work) = self.0.take() else { return Poll::Ready(()) };
        let progress = work.as_mut().poll(context);
        if progress.is_pending() {
            self.0 = Some(work);
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
    use std::future::poll_fn;

    use tokio::{
        task::JoinHandle,
        time::{advance, timeout},
    };

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
        for _ in 0..TURNS + 4 {
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

    #[test]
    fn who_gives_up_outside_of_the_runtime_lets_the_others_know() {
        let (gets, server) = <(Arc<Gets>, Arc<Server>)>::default();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let answering = Arc::clone(&server);
        let mut first = Box::pin(gets.together("a".to_owned(), |keys| answering.answer(keys)));
        let mut second = None;
        runtime.block_on(async {
            let once = poll_fn(|context| Poll::Ready(first.as_mut().poll(context)));
            assert!(once.await.is_pending());
            second = Some(asked(&gets, &server, "b"));
            // It has joined, and the first one has not asked.
            while gets.open.lock().as_ref().is_none_or(|open| open.len() < 2) {
                yield_now().await;
            }
        });

        drop(first);

        assert_eq!(runtime.block_on(second.unwrap()).unwrap(), Err(RedisAway::NotAsked));
        assert!(gets.open.lock().is_none() && server.questions.lock().is_empty());
    }

    #[tokio::test]
    async fn who_panics_leaves_the_others_without_an_answer_and_the_next_ones_with_one() {
        let (gets, server) = <(Arc<Gets>, Arc<Server>)>::default();
        let panicking = Arc::clone(&gets);
        let first = tokio::spawn(async move {
            panicking.together("a".to_owned(), |_| async { panic!("the test says so") }).await
        });
        let second = asked(&gets, &server, "b");

        assert!(first.await.unwrap_err().is_panic());
        assert_eq!(second.await.unwrap(), Err(RedisAway::NotAsked));

        let third = asked(&gets, &server, "c");
        settled().await;
        server.answers.notify_one();
        assert_eq!(third.await.unwrap(), Ok(Some(b"c".to_vec())));
        assert!(gets.alone().is_some());
    }

    #[tokio::test]
    async fn so_many_are_full() {
        let (gets, server) = <(Arc<Gets>, Arc<Server>)>::default();
        let first = asked(&gets, &server, "a");
        let second = asked(&gets, &server, "b");
        yield_now().await;

        assert!(gets.is_full(2) && !gets.is_full(3));

        settled().await;
        assert!(!gets.is_full(1));
        server.answers.notify_one();
        drop((first.await, second.await));
    }

    /// Has two keys asked for together and answered.
    async fn answered_together(gets: &Arc<Gets>, server: &Arc<Server>) {
        let several = [asked(gets, server, "a"), asked(gets, server, "b")];
        settled().await;
        server.answers.notify_one();
        for asked in several {
            drop(asked.await);
        }
        server.questions.lock().clear();
    }

    #[tokio::test(start_paused = true)]
    async fn who_asked_together_is_waited_for() {
        let (gets, server) = <(Arc<Gets>, Arc<Server>)>::default();
        answered_together(&gets, &server).await;

        let quick = asked(&gets, &server, "c");
        for _ in 0..TURNS / 2 {
            yield_now().await;
        }
        let slow = asked(&gets, &server, "d");
        settled().await;

        assert_eq!(*server.questions.lock(), [["c", "d"]]);
        server.answers.notify_one();
        drop((quick.await, slow.await));
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_long_for_who_does_not_come_back() {
        let (gets, server) = <(Arc<Gets>, Arc<Server>)>::default();
        answered_together(&gets, &server).await;

        assert!(gets.alone().is_none());
        let only = asked(&gets, &server, "c");
        for _ in 0..=TURNS {
            yield_now().await;
        }

        assert_eq!(*server.questions.lock(), [["c"]]);
        server.answers.notify_one();
        drop(only.await);
        assert!(gets.alone().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_on_a_thread_that_is_busy() {
        let (gets, server) = <(Arc<Gets>, Arc<Server>)>::default();
        answered_together(&gets, &server).await;

        let only = asked(&gets, &server, "c");
        let mut turns = 0;
        while server.questions.lock().is_empty() {
            // Computing, for all that the others know, and then a turn of the runtime.
            advance(PATIENCE * 2).await;
            turns += 1;
        }

        assert!(turns <= 3, "{turns}");
        server.answers.notify_one();
        drop(only.await);
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
