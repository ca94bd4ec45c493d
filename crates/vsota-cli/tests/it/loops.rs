//! The loops of a checkout, from files alone; and the way into one, against a stand-in for Humanize.

mod doctor;
mod entry;
mod field;
mod notes;
mod patch;
mod real;
mod round;
mod status;
mod walk;
mod whole;
