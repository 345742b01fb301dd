use std::fmt;

use serde::{Deserialize, Serialize};

/// An enum of words in which an unknown word is kept.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $case:ident = $word:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
        #[serde(from = "String", into = "String")]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$doc])* $case,)*
            /// A word that this SDK doesn't know; empty if there was none.
            Other(String),
        }

        impl $name {
            /// The word itself.
            pub fn as_str(&self) -> &str {
                match self {
                    $($name::$case => $word,)*
                    $name::Other(word) => word,
                }
            }
        }

        impl Default for $name {
            fn default() -> Self {
                $name::Other(String::new())
            }
        }

        impl From<String> for $name {
            fn from(word: String) -> Self {
                match word.as_str() {
                    $($word => $name::$case,)*
                    _ => $name::Other(word),
                }
            }
        }

        impl From<$name> for String {
            fn from(word: $name) -> String {
                word.as_str().to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

words! {
    /// Who sees something in a chat.
    Visibility {
        /// Everybody.
        All = "all",
        /// Agents only.
        Agents = "agents",
    }
}

words! {
    /// What a chat event is.
    ChatEventKind {
        /// Text that somebody wrote.
        Message = "message",
        /// A file.
        File = "file",
        /// A form to fill.
        Form = "form",
        /// A form that the customer filled.
        FilledForm = "filled_form",
        /// Cards, quick replies, stickers.
        RichMessage = "rich_message",
        /// An app's own.
        Custom = "custom",
        /// What the platform says to people in the chat.
        SystemMessage = "system_message",
        /// What the platform says to programs.
        System = "system",
    }
}

words! {
    /// What happened to a rating.
    RatingChange {
        /// There was no score before.
        Rated = "rated",
        /// Only the comment is new or different.
        Commented = "commented",
        /// The score is different.
        Changed = "changed",
        /// The rating is gone.
        Withdrawn = "withdrawn",
    }
}

words! {
    /// The numbers that a score may have.
    Scale {
        /// The platform's own: 0 is bad, 1 is good.
        ZeroToOne = "0-1",
        /// 1 is bad, 5 is good.
        OneToFive = "1-5",
    }
}

words! {
    /// Whether an agent gets chats.
    Status {
        /// Accepts chats.
        AcceptingChats = "accepting_chats",
        /// Is there, but accepts none.
        NotAcceptingChats = "not_accepting_chats",
        /// Is not there.
        Offline = "offline",
    }
}

words! {
    /// What happened to a rule.
    RuleChange {
        /// It is new.
        Added = "added",
        /// It is another one now.
        Updated = "updated",
        /// It is gone.
        Deleted = "deleted",
    }
}

words! {
    /// Whether LiveChat could sum a thread up.
    SummaryStatus {
        /// It could.
        Ok = "ok",
        /// It could not.
        Error = "error",
    }
}
