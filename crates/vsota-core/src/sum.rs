//! The macros behind `Command`, `Event` and `State`: closed sums of named structs.

/// Declares `enum $Sum { A(A), … }`, its payload-free twin `enum $Kind { A, … }`, and `From<A>`.
macro_rules! sum {
    (
        $(#[$sum_attr:meta])* pub enum $Sum:ident;
        $(#[$kind_attr:meta])* pub enum $Kind:ident;
        $( $(#[$doc:meta])* $Variant:ident = $name:literal, )+
    ) => {
        $(#[$sum_attr])*
        pub enum $Sum { $( $(#[$doc])* $Variant($Variant), )+ }

        $(#[$kind_attr])*
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub enum $Kind { $( $(#[$doc])* $Variant, )+ }

        impl $Sum {
            /// The same variant without its payload.
            pub fn kind(&self) -> $Kind {
                match self { $( Self::$Variant(_) => $Kind::$Variant, )+ }
            }
        }

        impl $Kind {
            /// Every kind, in declaration order.
            pub const ALL: &[Self] = &[ $( Self::$Variant, )+ ];

            /// The stable kebab-case name.
            pub fn as_str(self) -> &'static str {
                match self { $( Self::$Variant => $name, )+ }
            }
        }

        impl core::fmt::Display for $Kind {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl serde::Serialize for $Kind {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        $(
            impl From<$Variant> for $Sum {
                fn from(payload: $Variant) -> Self { Self::$Variant(payload) }
            }
        )+
    };
}

/// Declares commands and their events from one line each: what is said, what it becomes, and what
/// the machine finds beside it.
macro_rules! asks {
    ($( $(#[$doc:meta])* $Command:ident($Said:ty) = $command:literal, $clause:ident
        => $Event:ident $(+ $Found:ty)? = $event:literal; )+) => {
        /// What may be asked of a campaign: imperative, never stored.
        pub mod command {
            use super::*;

            $(
                $(#[$doc])*
                #[derive(Clone, Debug, Eq, PartialEq)]
                pub struct $Command(pub $Said);

                impl Ask for $Command {
                    type Said = $Said;
                    type Found = asks!(@found $($Found)?);
                    type Event = super::event::$Event;

                    fn said(&self) -> &$Said {
                        &self.0
                    }

                    fn event(self, found: Self::Found) -> Self::Event {
                        asks!(@event self, found, $Event $($Found)?)
                    }
                }
            )+

            sum! {
                /// Anything that may be asked of a campaign.
                #[derive(Clone, Debug, Eq, PartialEq)]
                pub enum Command;
                /// The name of a command.
                pub enum CommandKind;
                $( $(#[$doc])* $Command = $command, )+
            }

            impl CommandKind {
                /// The clause that a command without an edge from here runs into.
                pub fn clause(self) -> Clause {
                    match self { $( Self::$Command => Clause::$clause, )+ }
                }

                /// The event that records the command.
                pub fn event(self) -> super::event::EventKind {
                    match self { $( Self::$Command => super::event::EventKind::$Event, )+ }
                }
            }
        }

        /// What has happened: past tense, stored for ever.
        pub mod event {
            use super::*;

            $( asks!(@declare $(#[$doc])* $Event $Command $Said, $($Found)?); )+

            sum! {
                /// Anything that can have happened to a campaign.
                #[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
                #[serde(rename_all = "kebab-case")]
                pub enum Event;
                /// The name of an event.
                pub enum EventKind;
                $( $(#[$doc])* $Event = $event, )+
            }

            impl From<&Self> for Event {
                fn from(event: &Self) -> Self {
                    event.clone()
                }
            }

            impl Event {
                /// The command that was granted: how `verify` asks again.
                pub fn asked(&self) -> super::command::Command {
                    match self {
                        $( Self::$Event(event) => super::command::$Command(event.said.clone()).into(), )+
                    }
                }
            }
        }
    };
    (@found) => { () };
    (@found $Found:ty) => { $Found };
    (@event $self:ident, $found:ident, $Event:ident) => {{
        let () = $found;
        super::event::$Event { said: $self.0 }
    }};
    (@event $self:ident, $found:ident, $Event:ident $Found:ty) => {
        super::event::$Event { said: $self.0, found: $found }
    };
    (@declare $(#[$doc:meta])* $Event:ident $Command:ident $Said:ty,) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
        #[serde(transparent)]
        pub struct $Event {
            /// What the command said.
            pub said: $Said,
        }
    };
    (@declare $(#[$doc:meta])* $Event:ident $Command:ident $Said:ty, $Found:ty) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
        #[serde(deny_unknown_fields)]
        pub struct $Event {
            /// What the command said.
            pub said: $Said,
            /// What the machine found when it granted it.
            pub found: $Found,
        }
    };
}
