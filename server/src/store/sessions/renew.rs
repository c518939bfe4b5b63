//! Another token for a session.

use super::{Error, RENEWED, Store, end::remember};
use crate::{
    access::SignedIn,
    audit::{Action, Event, Outcome, Stamp, Target},
};
use serde_json::json;

/// A session that gets another token.
#[derive(Clone, Copy, Debug)]
pub struct RenewedSession<'a> {
    /// The digest under which it is found so far.
    pub before: &'a str,
    /// The digest under which it will be found.
    pub id_hash: &'a str,
    /// Identity and credential, sealed anew.
    pub sealed: &'a str,
}

impl Store {
    /// Puts the session under another digest and notes that its person has just entered the password. Whether it still
    /// lived: one that has ended meanwhile stays ended.
    #[tracing::instrument(name = "store.session.renew", skip_all)]
    pub async fn renew_session(
        &self,
        proof: &SignedIn,
        renewed: RenewedSession<'_>,
        stamp: &Stamp,
    ) -> Result<bool, Error> {
        let identity = proof.identity();
        let mut write = self.write().await?;
        let lives = sqlx::query(
            "UPDATE sessions SET id_hash = $1, sealed = $2, touched_at = $3, \
             authenticated_at = $4 WHERE id_hash = $5 AND username = $6 AND realm = $7",
        )
        .bind(renewed.id_hash)
        .bind(renewed.sealed)
        .bind(stamp.at.0)
        .bind(stamp.at.0)
        .bind(renewed.before)
        .bind(identity.username.as_str())
        .bind(identity.realm.as_str())
        .execute(&mut *write)
        .await?
        .rows_affected()
            > 0;
        if lives {
            remember(&mut write, renewed.before, RENEWED, stamp).await?;
            let renewed_as = write.trail.key().session_ref(renewed.id_hash);
            let event = Event {
                actor: Some(identity),
                action: Action::Reauth,
                outcome: Outcome::Success,
                target: Target::default(),
                operation: None,
                details: json!({ "renewed_as": renewed_as }),
            };
            crate::store::audit::append(&mut write, &event, stamp).await?;
        }
        write.commit().await?;
        Ok(lives)
    }
}
