//! Work that several wait for, and that runs in whichever of them is polled.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use parking_lot::Mutex;

/// Somebody who waits for shared work. A clone is another one.
///
/// When the work can go on, all who wait are woken, since none of them is bound to be polled again. Unlike with
/// `futures::future::Shared`, whoever then brings the work to its end is not woken once more by that: it is awake.
/// Nearly every reader is alone with its load, and would be given a second turn in the runtime for nothing, for which
/// another thread is woken as a rule.
pub(super) struct Running<T> {
    work: Arc<Work<T>>,
    waiting: Arc<Waiting>,
    /// Which of those who wait.
    number: u64,
}

struct Work<T> {
    progress: Mutex<Progress<T>>,
    numbers: AtomicU64,
}

enum Progress<T> {
    /// The work, unless somebody is polling it now.
    Open(Option<Pin<Box<dyn Future<Output = T> + Send>>>),
    Over(T),
}

/// Those to wake, by their number. The work has no hold on itself through this.
#[derive(Default)]
struct Waiting(Mutex<Vec<(u64, Waker)>>);

impl<T> Running<T> {
    pub(super) fn new(work: impl Future<Output = T> + Send + 'static) -> Self {
        let progress = Mutex::new(Progress::Open(Some(Box::pin(work))));
        let work = Work { progress, numbers: AtomicU64::new(1) };
        Self { work: Arc::new(work), waiting: Arc::default(), number: 0 }
    }

    /// Whether the work has come to its end.
    pub(super) fn is_over(&self) -> bool {
        matches!(*self.work.progress.lock(), Progress::Over(_))
    }
}

impl<T> Clone for Running<T> {
    fn clone(&self) -> Self {
        let number = self.work.numbers.fetch_add(1, Ordering::Relaxed);
        Self { work: Arc::clone(&self.work), waiting: Arc::clone(&self.waiting), number }
    }
}

impl<T: Clone> Future for Running<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        // Before looking, so that an end that comes right after the look wakes this one too.
        self.waiting.add(self.number, context.waker());
        let mut work = match &mut *self.work.progress.lock() {
            Progress::Over(outcome) => return Poll::Ready(outcome.clone()),
            Progress::Open(work) => match work.take() {
                Some(work) => work,
                // Another one is polling it.
                None => return Poll::Pending,
            },
        };
        let all = Waker::from(Arc::clone(&self.waiting));
        match work.as_mut().poll(&mut Context::from_waker(&all)) {
            Poll::Pending => {
                *self.work.progress.lock() = Progress::Open(Some(work));
                Poll::Pending
            }
            Poll::Ready(outcome) => {
                *self.work.progress.lock() = Progress::Over(outcome.clone());
                self.waiting.wake_but(Some(self.number));
                Poll::Ready(outcome)
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
            let waker = Waker::from(Arc::clone(&self.wakes));
            Pin::new(&mut self.running).poll(&mut Context::from_waker(&waker))
        }

        fn wakes(&self) -> u64 {
            self.wakes.0.load(Ordering::SeqCst)
        }
    }

    fn running() -> (oneshot::Sender<u8>, Running<u8>) {
        let (sender, receiver) = oneshot::channel();
        (sender, Running::new(async { receiver.await.unwrap() }))
    }

    #[test]
    fn who_ends_the_work_is_woken_for_it_and_not_by_it() {
        let (sender, running) = running();
        let mut only = Waiter::new(running);
        assert_eq!(only.poll(), Poll::Pending);

        sender.send(7).unwrap();
        assert_eq!(only.wakes(), 1);

        assert_eq!(only.poll(), Poll::Ready(7));
        assert_eq!(only.wakes(), 1);
    }

    #[test]
    fn any_of_them_can_go_on() {
        let (sender, running) = running();
        let (mut first, mut second) = (Waiter::new(running.clone()), Waiter::new(running));
        assert_eq!((first.poll(), second.poll()), (Poll::Pending, Poll::Pending));

        sender.send(7).unwrap();
        assert_eq!((first.wakes(), second.wakes()), (1, 1));

        // The other one may be gone, or busy with something else.
        assert_eq!(first.poll(), Poll::Ready(7));
    }

    #[test]
    fn who_waits_for_another_to_poll_is_woken_at_the_end() {
        let (sender, receiver) = oneshot::channel();
        let (entered, polling) = std::sync::mpsc::channel();
        let (go_on, told) = std::sync::mpsc::channel::<()>();
        let running = Running::new(async move {
            entered.send(()).unwrap();
            told.recv().unwrap();
            receiver.await.unwrap()
        });
        sender.send(7).unwrap();
        let (mut first, mut second) = (Waiter::new(running.clone()), Waiter::new(running));

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
