//! A serving-performance campaign as a pure state machine.
//!
//! A campaign compares vLLM with other serving frameworks under one fixed workload, finds what makes
//! it slower, patches that, measures again, and stops for one of four reasons. This crate knows what
//! may happen next and why not. It opens no file, reads no clock and starts no process: the program
//! around it hands facts in and keeps the journal.
//!
//! ```text
//!   facts ──► Command ──► decide ──► Step ──► persist ──► commit ──► Campaign
//!                           │         │  (your disk, your clock)        ▲
//!                           ▼         └► Event, one line of a journal   │
//!                        Refusal                                        │
//!                  (nothing happened)           journal ──► replay ─────┘
//! ```
//!
//! One command becomes one event, or a [`Refusal`] with everything that stands in the way, each with
//! its [`Clause`] of the contract. A [`Step`] is a fact only once its [`Entry`] is persisted: then
//! [`Step::commit`] gives the campaign in which it is one. That order is the caller's only duty.
//!
//! ```
//! use vsota_core::command::{CloseInputs, RecordInputs};
//! use vsota_core::facts::{Input, InputsGiven, Nothing, Sourced};
//! use vsota_core::{Campaign, Clause, Digest, Format, Opening, Phase};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut journal = Vec::new();
//!
//! // Every step goes the same way: decide, persist, commit.
//! let opening = Opening { format: Format::CURRENT, version: "mine 1.0".parse()?, demo: true };
//! let step = Campaign::open(opening);
//! journal.push(step.entry(1_790_000_000_000, Digest::from_bytes([0; 32])));
//! let mut campaign = step.commit();
//!
//! let model = Sourced { input: Input::Model("example/model".parse()?), source: "flag".parse()? };
//! let step = campaign.decide(RecordInputs(InputsGiven { inputs: vec![model] }))?;
//! let prev = Digest::of(&serde_json::to_vec(journal.last().unwrap())?);
//! journal.push(step.entry(1_790_000_001_000, prev));
//! campaign = step.commit();
//!
//! // A refusal changes nothing and names all that is missing, not only the first.
//! let refusal = campaign.decide(CloseInputs(Nothing {})).unwrap_err();
//! assert!(refusal.reasons().len() > 3);
//! assert!(refusal.objections().iter().any(|it| it.clause == Clause::In2));
//! assert_eq!(campaign.phase(), Phase::Inputs);
//!
//! // The journal is the campaign.
//! let replayed = Campaign::replay(journal.iter().map(|it| (it.seq, &it.event)))?;
//! assert_eq!(replayed, campaign);
//! # Ok(())
//! # }
//! ```
//!
//! `examples/embed.rs` drives a whole campaign this way, from its opening to `Stopped`.
//!
//! A phase admits the commands that have a row in the table of [`machine`], and no other; with the
//! phase's own type at hand the compiler says so:
//!
//! ```compile_fail,E0277
//! use vsota_core::Decide;
//! use vsota_core::command::StopCampaign;
//! use vsota_core::phase::Profiling;
//!
//! fn admits<P: Decide<StopCampaign>>() {}
//! admits::<Profiling>(); // the phase `Profiling` does not admit the command `StopCampaign`
//! ```
//!
//! # Where to look
//!
//! | what | where |
//! | --- | --- |
//! | the ten phases and every edge between them, on one screen | [`machine`] |
//! | the value, the step, the journal and its replay | [`Campaign`], [`Step`], [`Entry`] |
//! | what may be asked, and what may have happened | [`command`], [`event`] |
//! | the facts that both carry | [`facts`] |
//! | what each phase knows, demands and becomes | [`phase`] |
//! | why something was turned down | [`Refusal`], [`Objection`], [`Clause`] |
//! | when a difference is a difference | [`verdict`] |
//! | numbers and words that were checked once | [`measure`], [`text`] |
//! | files of the field, bytes in, facts out | [`evidence`] |
#![no_std]

extern crate alloc;

#[macro_use]
mod parsed;
#[macro_use]
mod sum;

mod artifact;
mod ask;
mod brief;
mod campaign;
mod clause;
pub mod evidence;
pub mod facts;
pub mod machine;
pub mod measure;
mod objection;
pub mod phase;
mod record_only;
mod rounds;
pub mod text;
pub mod verdict;

pub use artifact::{Artifact, Digest, GitId, IdError};
pub use ask::{Ask, Format, Opening, command, event};
pub use brief::{Base, Brief, History};
pub use campaign::{Campaign, Entry, ReplayError, Seq, Step};
pub use clause::Clause;
pub use machine::{Decide, Evolve, Misplaced, Phase, State, TRANSITIONS, Transition};
pub use objection::{Finding, Objection, Objections, Refusal};
pub use record_only::RECORD_ONLY;
pub use rounds::Rounds;
