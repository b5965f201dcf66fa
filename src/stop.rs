//! Ctrl-C, for work that takes long.
//!
//! In: the flag that Ctrl-C sets, or what looks at it. Out: a [`Watch`] that looks again and again beside such work, and a pause that ends
//! early. Does not know who sets the flag, or what is stopped.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often a pause looks at the flag.
const LOOK: Duration = Duration::from_millis(20);

/// Does something again and again, on a thread of its own, for as long as it lives.
pub struct Watch {
    done: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Begins; `look` must be short.
    pub fn start(every: Duration, look: impl Fn() + Send + 'static) -> Watch {
        let done = Arc::new(AtomicBool::new(false));
        let flag = done.clone();
        let thread = std::thread::spawn(move || {
            while !flag.load(Ordering::SeqCst) {
                look();
                std::thread::park_timeout(every);
            }
        });
        Watch { done, thread: Some(thread) }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.done.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // The thread only sleeps and looks at flags: it cannot have panicked.
            let _ = thread.join();
        }
    }
}

/// Waits; tells whether it did so to the end, or the flag was set.
pub fn rest(pause: Duration, stopped: &AtomicBool) -> bool {
    let end = Instant::now() + pause;
    while Instant::now() < end {
        if stopped.load(Ordering::SeqCst) {
            return false;
        }
        std::thread::sleep(LOOK);
    }
    true
}
