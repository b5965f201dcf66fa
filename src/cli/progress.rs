//! Progress on a terminal: one spinner with the stages that run.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::engine::Progress;

/// A spinner, or nothing where nobody watches.
pub(super) struct Bars {
    bar: ProgressBar,
    running: Mutex<BTreeSet<String>>,
}

impl Bars {
    pub(super) fn new(interactive: bool) -> Bars {
        let bar = if interactive { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed} {msg}") {
            bar.set_style(style);
        }
        if interactive {
            bar.enable_steady_tick(Duration::from_millis(120));
        }
        Bars { bar, running: Mutex::default() }
    }

    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn change(&self, change: impl FnOnce(&mut BTreeSet<String>)) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut running);
        let names: Vec<&str> = running.iter().take(4).map(String::as_str).collect();
        self.bar.set_message(names.join(", "));
    }
}

impl Progress for Bars {
    fn begin(&self, stage: &str) {
        self.change(|running| {
            running.insert(stage.to_string());
        });
    }

    fn end(&self, stage: &str, _: u64) {
        self.change(|running| {
            running.remove(stage);
        });
    }
}
