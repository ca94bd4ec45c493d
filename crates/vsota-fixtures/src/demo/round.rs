//! The two rounds: behind and patched, then level and stopped.

use super::Demo;

impl Demo {
    pub(super) fn first_round(&mut self) {}

    pub(super) fn second_round(&mut self) {}
}
