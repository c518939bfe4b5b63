//! Messages about what was just done.

use serde::{Deserialize, Serialize};

/// Message for the next page, shown once. The server seals it into a cookie of the session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Notice {
    KeyCreated {
        id: String,
        name: String,
    },
    KeyRevoked {
        id: String,
        name: String,
        /// True if some nodes may still have the key in their cache.
        in_cache: bool,
    },
    /// The end of a key that was rotated was undone.
    RotationUndone {
        id: String,
        name: String,
    },
    UserCreated(String),
    UserDeleted(String),
    UserEnabled(String),
    UserDisabled(String),
    /// The agent key role was given to this user.
    RoleGiven(String),
    /// The agent key role was taken from this user.
    RoleTaken(String),
    RoleMappingSaved(String),
    RoleMappingDeleted(String),
    PasswordSet(String),
    OwnPasswordChanged,
    /// Signing out was refused, because this user is signed in now.
    OtherUser(String),
    /// The password was entered for this export.
    Export(String),
}
