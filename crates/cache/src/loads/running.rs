//! Work that several wait for, and that runs in whichever of them is polled.

use std::{
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use parking_lot::Mutex;

/// Work that goes on when somebody who waits for it is polled.
pub(super) struct Work<T> {
    progress: Mutex<Progress<T>>,
    /// Those who have ever waited.
    joined: AtomicU64,
    waiting: OnceLock<Arc<Waiting>>,
}

enum Progress<T> {
    /// The work, unless somebody is polling it now, and who alone is woken when it can go on.
    Open(Option<Pin<Box<dyn Future<Output = T> + Send>>>, Option<(u64, Waker)>),
    Over(T),
}

/// Those to wake, by their number. The work has no hold on itself through this.
#[derive(Default)]
struct Waiting(Mutex<Vec<(u64, Waker)>>);

/// Somebody who waits for work.
///
/// When the work can go on, all who wait are woken, since none of them is bound to be polled again. Unlike with
/// `futures::future::Shared`, whoever then brings the work to its end is not woken once more by that: it is awake.
/// Nearly every reader is alone with its load: it would be given a second turn in the runtime for nothing, for which
/// another thread is woken as a rule, and it needs no list to be woken by.
pub(super) struct Running<T> {
    work: Arc<Work<T>>,
    /// Which of those who wait.
    number: u64,
}

impl<T> Work<T> {
    pub(super) fn new(work: impl Future<Output = T> + Send + 'static) -> Arc<Self> {
        Arc::new(Self {
            progress: Mutex::new(Progress::Open(Some(Box::pin(work)), None)),
            joined: AtomicU64::new(0),
            waiting: OnceLock::new(),
        })
    }

    /// Somebody else who waits for it.
    pub(super) fn join(self: &Arc<Self>) -> Running<T> {
        let number = self.joined.fetch_add(1, Ordering::Relaxed);
        Running { work: Arc::clone(self), number }
    }

    fn has_one(&self) -> bool {
        self.joined.load(Ordering::Relaxed) == 1
    }

    fn waiting(&self) -> &Arc<Waiting> {
        self.waiting.get_or_init(Arc::default)
    }
}

impl<T> Running<T> {
    /// Whether the work has come to its end.
    pub(super) fn is_over(&self) -> bool {
        matches!(*self.work.progress.lock(), Progress::Over(_))
    }
}

impl<T: Clone> Future for Running<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let alone = self.work.has_one();
        self.poll_as(alone, context)
    }
}

impl<T: Clone> Running<T> {
    /// Polls as one who was alone when it looked, which may be over, or as one of several.
    fn poll_as(&self, mut alone: bool, context: &mut Context<'_>) -> Poll<T> {
        if !alone {
            // Before looking, so that an end that comes right after the look wakes this one too.
            self.work.waiting().add(self.number, context.waker());
        }
        let (mut work, first) = loop {
            match &mut *self.work.progress.lock() {
                Progress::Over(outcome) => return Poll::Ready(outcome.clone()),
                Progress::Open(work, first) => {
                    if let Some(work) = work.take() {
                        break (work, first.take());
                    }
                }
            }
            // Another one is polling it.
            if !alone {
                return Poll::Pending;
            }
            alone = false;
            self.work.waiting().add(self.number, context.waker());
        };
        // This one may have been alone before, with a waker that is of no use any more.
        if let Some((number, waker)) = first.filter(|(number, _)| !alone && *number != self.number)
        {
            self.work.waiting().add(number, &waker);
        }
        loop {
            let polled = if alone {
                work.as_mut().poll(context)
            } else {
                let all = Waker::from(Arc::clone(self.work.waiting()));
                work.as_mut().poll(&mut Context::from_waker(&all))
            };
            let mut progress = self.work.progress.lock();
            match polled {
                Poll::Pending if alone && !self.work.has_one() => {
                    // Whoever joined meanwhile has to be woken too.
                    drop(progress);
                    alone = false;
                    self.work.waiting().add(self.number, context.waker());
                }
                Poll::Pending => {
                    let first = alone.then(|| (self.number, context.waker().clone()));
                    *progress = Progress::Open(Some(work), first);
                    return Poll::Pending;
                }
                Poll::Ready(outcome) => {
                    *progress = Progress::Over(outcome.clone());
                    drop(progress);
                    if let Some(waiting) = self.work.waiting.get() {
                        waiting.wake_but(Some(self.number));
                    }
                    return Poll::Ready(outcome);
                }
            }
        }
    }
}

impl Waiting {
    fn add(&self, number: u64, waker: &Waker) {
        let mut waiting = self.0.lock();
        match waiting.iter_mut().find(|(other, _)| *other == number) {
            Some((_, known)) => known.clone_from(waker),
            None => waiting.push((number, waker.clone())),
        }
    }

    fn wake_but(&self, awake: Option<u64>) {
        // Not with the lock held: whoever is woken may be at its end, and ask here on its way out.
        let waiting = std::mem::take(&mut *self.0.lock());
        for (number, waker) in waiting {
            if awake != Some(number) {
                waker.wake();
            }
        }
    }
}

impl Wake for Waiting {
    fn wake(self: Arc<Self>) {
        self.wake_but(None);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use tokio::sync::oneshot;

    use super::*;

    /// How often somebody was woken.
    #[derive(Default)]
    struct Wakes(AtomicU64);

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    struct Waiter {
        wakes: Arc<Wakes>,
        running: Running<u8>,
    }

    impl Waiter {
        fn new(running: Running<u8>) -> Self {
            Self { wakes: Arc::default(), running }
        }

        fn poll(&mut self) -> Poll<u8> {
            let waker = self.waker();
            Pin::new(&mut self.running).poll(&mut Context::from_waker(&waker))
        }

        fn poll_as_if_alone(&self) -> Poll<u8> {
            self.running.poll_as(true, &mut Context::from_waker(&self.waker()))
        }

        fn waker(&self) -> Waker {
            Waker::from(Arc::clone(&self.wakes))
        }

        fn wakes(&self) -> u64 {
            self.wakes.0.load(Ordering::SeqCst)
        }
    }

    fn work() -> (oneshot::Sender<u8>, Arc<Work<u8>>) {
        let (sender, receiver) = oneshot::channel();
        (sender, Work::new(async { receiver.await.unwrap() }))
    }

    /// Work whose first poll goes on only when it is told to.
    struct Held {
        sender: oneshot::Sender<u8>,
        work: Arc<Work<u8>>,
        polling: mpsc::Receiver<()>,
        go_on: mpsc::Sender<()>,
    }

    impl Held {
        fn new() -> Self {
            let (sender, receiver) = oneshot::channel();
            let (entered, polling) = mpsc::channel();
            let (go_on, told) = mpsc::channel();
            let work = Work::new(async move {
                entered.send(()).unwrap();
                told.recv().unwrap();
                receiver.await.unwrap()
            });
            Self { sender, work, polling, go_on }
        }
    }

    #[test]
    fn who_ends_the_work_is_woken_for_it_and_not_by_it() {
        let (sender, work) = work();
        let mut only = Waiter::new(work.join());
        assert_eq!(only.poll(), Poll::Pending);

        sender.send(7).unwrap();
        assert_eq!(only.wakes(), 1);

        assert_eq!(only.poll(), Poll::Ready(7));
        assert_eq!(only.wakes(), 1);
    }

    #[test]
    fn any_of_them_can_go_on() {
        let (sender, work) = work();
        let (mut first, mut second) = (Waiter::new(work.join()), Waiter::new(work.join()));
        assert_eq!((first.poll(), second.poll()), (Poll::Pending, Poll::Pending));

        sender.send(7).unwrap();
        assert_eq!((first.wakes(), second.wakes()), (1, 1));

        // The other one may be gone, or busy with something else.
        assert_eq!(first.poll(), Poll::Ready(7));
    }

    #[test]
    fn who_was_alone_is_woken_with_those_who_joined_later() {
        let (sender, work) = work();
        let mut first = Waiter::new(work.join());
        assert_eq!(first.poll(), Poll::Pending);
        let mut second = Waiter::new(work.join());
        assert_eq!(second.poll(), Poll::Pending);

        sender.send(7).unwrap();

        assert_eq!((first.wakes(), second.wakes()), (1, 1));
        assert_eq!((second.poll(), first.poll()), (Poll::Ready(7), Poll::Ready(7)));
    }

    #[test]
    fn who_joins_while_the_first_is_polling_is_woken_when_the_work_can_go_on() {
        let Held { sender, work, polling, go_on } = Held::new();
        let mut first = Waiter::new(work.join());
        let mut second = None;

        let pending = std::thread::scope(|scope| {
            let first = scope.spawn(|| first.poll());
            polling.recv().unwrap();
            let second = second.insert(Waiter::new(work.join()));
            assert_eq!(second.poll(), Poll::Pending);
            go_on.send(()).unwrap();
            first.join().unwrap()
        });
        sender.send(7).unwrap();

        let mut second = second.unwrap();
        assert_eq!((pending, first.wakes(), second.wakes()), (Poll::Pending, 1, 1));
        // The first one may be gone.
        assert_eq!(second.poll(), Poll::Ready(7));
    }

    #[test]
    fn who_was_alone_and_is_polled_elsewhere_is_woken_there() {
        let (sender, work) = work();
        let mut first = Waiter::new(work.join());
        assert_eq!(first.poll(), Poll::Pending);
        // Nobody has polled it yet.
        let _second = Waiter::new(work.join());
        let mut first = Waiter::new(first.running);
        assert_eq!(first.poll(), Poll::Pending);

        sender.send(7).unwrap();

        assert_eq!(first.wakes(), 1);
    }

    #[test]
    fn who_took_itself_to_be_alone_while_another_polls_is_woken() {
        let Held { sender, work, polling, go_on } = Held::new();
        let (first, mut second) = (Waiter::new(work.join()), Waiter::new(work.join()));

        std::thread::scope(|scope| {
            let second = scope.spawn(|| second.poll());
            polling.recv().unwrap();
            assert_eq!(first.poll_as_if_alone(), Poll::Pending);
            go_on.send(()).unwrap();
            assert_eq!(second.join().unwrap(), Poll::Pending);
        });
        sender.send(7).unwrap();

        assert_eq!(first.wakes(), 1);
    }

    #[test]
    fn who_waits_for_another_to_poll_is_woken_at_the_end() {
        let Held { sender, work, polling, go_on } = Held::new();
        sender.send(7).unwrap();
        let (mut first, mut second) = (Waiter::new(work.join()), Waiter::new(work.join()));

        let ended = std::thread::scope(|scope| {
            let first = scope.spawn(|| first.poll());
            polling.recv().unwrap();
            assert_eq!(second.poll(), Poll::Pending);
            go_on.send(()).unwrap();
            first.join().unwrap()
        });

        assert_eq!((ended, second.wakes()), (Poll::Ready(7), 1));
        assert_eq!(second.poll(), Poll::Ready(7));
    }
}
