//! Which of the keys that a person sees are their own.
//!
//! An identity is a realm and a user name. Realms of one security domain (Elasticsearch 8.2 and later) share their
//! users: a key that a person made when they signed in through another realm of the domain is theirs too. Only the name
//! of the domain is told, not its realms, so Elasticsearch is asked about one key for each realm in question.

use crate::{
    access::Identity, context::RequestContext, elasticsearch::keys::StoredKey, error::Error,
};
use app::model::{
    agent_key::KeyId,
    viewer::{Access, KeyScope},
};
use std::collections::BTreeMap;

/// Whose keys are a person's own.
pub(super) struct Ownership<'a> {
    viewer: &'a Identity,
    /// Everything this person sees is theirs.
    sees_own_only: bool,
    /// Other realms in which this user name is the same person.
    realms: Vec<String>,
}

impl<'a> Ownership<'a> {
    /// For these keys. Elasticsearch is asked only where the answer decides whether a key may be revoked: for those who
    /// see everybody's keys and revoke their own, and only about keys of their user name in another realm. A realm that it
    /// cannot be asked about is not theirs, except in an outage.
    pub(super) async fn of(
        ctx: &'a RequestContext,
        access: &Access,
        keys: &[StoredKey],
    ) -> Result<Self, Error> {
        let viewer = &ctx.session()?.identity;
        let mut ownership = Self {
            viewer,
            sees_own_only: access.list_scope == KeyScope::Own,
            realms: Vec::new(),
        };
        if ownership.sees_own_only || access.revoke_scope == KeyScope::All {
            return Ok(ownership);
        }
        let mut one_of_each = BTreeMap::new();
        for key in keys {
            if let (Some(realm), Some(id)) = (&key.realm, KeyId::parse(&key.id))
                && key.username.as_deref() == Some(&viewer.username)
                && *realm != viewer.realm
            {
                one_of_each.entry(realm).or_insert(id);
            }
        }
        for (realm, id) in one_of_each {
            match ctx.elasticsearch()?.owns_api_key(&id).await {
                Ok(true) => ownership.realms.push(realm.clone()),
                Ok(false) => {}
                Err(error) => {
                    let failure = Error::from(error);
                    if failure.is_outage() {
                        return Err(failure);
                    }
                    let error: &dyn std::error::Error = &failure;
                    tracing::warn!(
                        error,
                        realm,
                        "whether keys of another realm are this person's own could not be asked"
                    );
                }
            }
        }
        Ok(ownership)
    }

    /// Returns true if the key is this person's own.
    pub(super) fn covers(&self, username: &str, realm: &str) -> bool {
        let is_own_realm = realm == self.viewer.realm || self.realms.iter().any(|own| own == realm);
        self.sees_own_only || (username == self.viewer.username && is_own_realm)
    }
}
