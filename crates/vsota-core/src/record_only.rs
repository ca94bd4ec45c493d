//! The clauses that no guard of the machine can hold, and the record that stands for each.

use crate::clause::Clause::{self, *};

/// Clauses without a guard, each with the record that a reader checks instead.
///
/// A clause stands here when nothing that a command says could break it: it speaks of where the
/// program looks, of what it writes, or of what it never does. The tests hold that each clause is
/// either raised in a refusal or stands here, and never both.
pub const RECORD_ONLY: &[(Clause, &str)] = &[
    (Rt1, "companion-noted: the path that was read; the program's search order finds it"),
    (Rt2, "loop-entered, loop-reentered: the argument vector names the script that was run"),
    (Rt3, "ncu-blocked: the kernel and the reason; KA-7 and PA-4 refuse what lacks it"),
    (In1, "inputs-recorded: every input by key; IN-2 and FB-14 refuse what nobody can guess"),
    (In3, "campaign-opened and every document that is rendered from the journal after an event"),
    (Se1, "nothing: the program refuses a secret before it becomes a fact (exit 8)"),
    (Hi4, "history-noted: no guard but those of HI and PA-5 reads a note"),
    (Ka4, "ncu-blocked: the reason and the next edit, rendered in the digest path"),
    (Pa6, "patch-recorded, fixup-recorded: the diff as an artefact, and its base tree"),
    (Rv3, "patch-accepted leads to no stop: the edges are the machine's table"),
    (Ck1, "every event: the checkpoint is rendered from the journal after each"),
    (Ck2, "the journal alone: a campaign is its fold"),
    (Re1, "campaign-stopped, stop-claimed: the final report is rendered from the journal"),
];
