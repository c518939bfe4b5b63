//! Authorization: permissions from Elasticsearch's answers, and the grants that follow from them.
//!
//! Agent Keys has no users and no roles of its own. A user signs in with an Elasticsearch user name and password, and
//! Elasticsearch's answer is the [`Identity`] ([`identify`]). The permissions of a request come from one
//! `_has_privileges` call for everything that matters ([`Permissions::request`]). The next request calls it again, so a
//! role that is taken away is gone at the next click.
//!
//! It checks three kinds of privileges. *Cluster privileges*: `manage_own_api_key` to have agent keys at all,
//! `manage_api_key` or `manage_security` to revoke those of other users, `read_security` to see them, `manage_security`
//! for users, roles, other users' sessions and the audit log. *Application privileges of `apm`*: `event:write` and
//! `config_agent:read`, because Elasticsearch creates a key whose owner lacks them, and such a key never works.
//! *Kibana's feature privileges*: the same page in Kibana needs `feature_apm.read` to read and `feature_apm.all` to
//! write, on a space of the application `kibana-.kibana`. Agent Keys requires the same, so that the documented role
//! means the same in both. `access.kibana_feature = "ignore"` turns that off for clusters without Kibana.
//!
//! For example, with the documented role `apm_agent_key_role`, Ada has `manage_own_api_key`, both `apm` privileges
//! and `feature_apm.all`: she lists, creates and revokes her own keys. Ben, a Kibana `viewer`, has
//! `kibana-.kibana: read` alone: he may read, and sees that `manage_own_api_key` is missing. Cleo, with
//! `manage_security`, sees and revokes the keys of all users, and manages users and the role. To *create* a key that
//! works she needs the `apm` privileges as well. The superuser `elastic` has everything.
//!
//! [`Permissions::grant`] returns a [`Grant`] of one permission, or names what is missing. Only this module makes a
//! grant, and each method of the store that writes for a user takes the grant of its permission. Elasticsearch has the
//! last word, because each call carries the user's own credential. What does most harm from an unattended browser also
//! takes a [`RecentPassword`](crate::sessions::RecentPassword).

use crate::{
    config,
    elasticsearch::{
        Connection, Error,
        capabilities::Capability,
        security::{ApplicationPrivileges, GrantedPrivileges, PrivilegesRequest},
    },
};
use app::model::{
    agent_key::{AgentPrivileges, MissingPrivilege},
    audit::Action,
    problem::ElasticsearchFault,
    session::{Access, KeyScope, Permit},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use std::{marker::PhantomData, sync::Arc};

const MANAGE_SECURITY: &str = "manage_security";
const MANAGE_API_KEY: &str = "manage_api_key";
const MANAGE_OWN_API_KEY: &str = "manage_own_api_key";
const READ_SECURITY: &str = "read_security";
/// The cluster privileges that decide.
const CLUSTER: [&str; 4] = [
    MANAGE_SECURITY,
    MANAGE_API_KEY,
    MANAGE_OWN_API_KEY,
    READ_SECURITY,
];
const CLUSTER_BEFORE_8_5: &[&str] = &[MANAGE_SECURITY, MANAGE_API_KEY, MANAGE_OWN_API_KEY];
const EVENT_WRITE: &str = "event:write";
const CONFIG_AGENT_READ: &str = "config_agent:read";

/// A user as Elasticsearch identifies them. Made only by [`identify`] and by unsealing an earlier answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The user name.
    pub username: String,
    /// The realm that checked the password.
    pub realm: String,
    /// Kind of that realm, for example `native` or `ldap`.
    pub realm_kind: String,
    /// The name for people, as it was when they signed in.
    pub full_name: Option<String>,
}

impl Identity {
    /// Returns true if Elasticsearch keeps the user's password and can change it.
    pub fn has_stored_password(&self) -> bool {
        matches!(self.realm_kind.as_str(), "native" | "reserved")
    }

    /// Returns the mark by which forms name this user: the same in all sessions, and no secret.
    pub fn mark(&self) -> String {
        let digest = Sha256::new()
            .chain_update(b"agent-keys user\0")
            .chain_update((self.realm.len() as u64).to_be_bytes())
            .chain_update(self.realm.as_bytes())
            .chain_update(self.username.as_bytes())
            .finalize();
        BASE64_URL_SAFE_NO_PAD.encode(&digest[..16])
    }
}

/// Proof that Elasticsearch has just accepted the user's password. A session begins with one.
#[derive(Debug)]
pub struct VerifiedPassword(Identity);

impl VerifiedPassword {
    /// The user.
    pub fn identity(&self) -> &Identity {
        &self.0
    }

    /// Returns true if it is this user, by name and realm.
    pub fn is_of(&self, identity: &Identity) -> bool {
        self.0.username == identity.username && self.0.realm == identity.realm
    }
}

/// Returns the identity of this credential, as Elasticsearch answers.
///
/// Errors: also [`ElasticsearchFault::TooOld`] and [`ElasticsearchFault::OpenSearch`], as `GET /` shows.
pub async fn identify(connection: &Connection) -> Result<VerifiedPassword, Error> {
    let answer = match connection.authenticate().await {
        Err(error @ (Error::Unauthorized | Error::Unreachable | Error::TimedOut | Error::Tls)) => {
            return Err(error);
        }
        answer => answer,
    };
    // An unsupported version or product is reported before any other error.
    if let Err(error @ Error::Fault { fault, .. }) = connection.info().await
        && matches!(
            fault,
            ElasticsearchFault::TooOld { .. } | ElasticsearchFault::OpenSearch
        )
    {
        return Err(error);
    }
    let answer = answer?;
    if !answer.enabled {
        return Err(Error::Unauthorized);
    }
    Ok(VerifiedPassword(Identity {
        username: answer.username,
        realm: answer.authentication_realm.name,
        realm_kind: answer.authentication_realm.kind,
        full_name: answer.full_name.filter(|name| !name.is_empty()),
    }))
}

/// A permission. Each is a type of its own, so that a [`Grant`] of one cannot be used for another.
pub trait Permission {
    /// Changes of Elasticsearch that it permits.
    const ACTIONS: &'static [Action];

    /// Returns the answer for this permission.
    fn permit(access: &Access) -> &Permit;
}

macro_rules! permissions {
    ($($(#[$doc:meta])* $name:ident($field:ident) => [$($action:ident),*];)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $name;

        impl Permission for $name {
            const ACTIONS: &'static [Action] = &[$(Action::$action),*];

            fn permit(access: &Access) -> &Permit {
                &access.$field
            }
        }
    )+};
}

permissions! {
    /// See agent keys.
    ListAgentKeys(list) => [];
    /// Create an agent key.
    CreateAgentKey(create) => [AgentKeyCreate];
    /// Revoke an agent key.
    RevokeAgentKey(revoke) => [AgentKeyInvalidate, AgentKeyRotate];
    /// Change an agent key of one's own.
    UpdateAgentKey(revoke) => [AgentKeyUpdate];
    /// See and change users and the role; see and end other users' sessions.
    ManageSecurity(manage_security) => [
        RoleUpdate, RoleMappingPut, RoleMappingDelete, UserRolesChange, UserCreate, UserEnable, UserDisable,
        UserDelete, UserPasswordChange
    ];
    /// Change the user's own password.
    ChangeOwnPassword(own_password) => [UserPasswordChange];
    /// Change the settings of the APM integration.
    SaveApmSettings(save_settings) => [];
    /// See and export the audit log.
    ReadAudit(manage_security) => [];
}

/// The user's permissions, as Elasticsearch answered for this request. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Permissions {
    identity: Arc<Identity>,
    access: Arc<Access>,
}

/// Proof that the user has the permission `P`. Only this module makes one.
#[derive(Clone, Debug)]
pub struct Grant<P> {
    identity: Arc<Identity>,
    permission: PhantomData<P>,
}

impl<P> Grant<P> {
    /// The user.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }
}

impl Permissions {
    /// Requests all permissions from Elasticsearch with one call.
    pub async fn request(
        connection: &Connection,
        identity: Identity,
        kibana_feature: &KibanaFeatureCheck,
    ) -> Result<Self, Error> {
        let resources = kibana_feature.resources(connection).await?;
        let mut question = question(kibana_feature, &resources);
        // Elasticsearch refuses the whole question for one privilege that it does not know.
        if connection.lacks(Capability::ReadSecurity) {
            question.cluster = CLUSTER_BEFORE_8_5;
        }
        let mut answer = connection.has_privileges(&question).await;
        if let Err(error) = &answer
            && connection.lacks_by(error, Capability::ReadSecurity)
        {
            question.cluster = CLUSTER_BEFORE_8_5;
            answer = connection.has_privileges(&question).await;
        }
        let answer = answer?;
        let mut access = evaluate(&answer, kibana_feature, &resources);
        if identity.has_stored_password() {
            access.own_password = Permit::Granted;
        }
        Ok(Self {
            identity: Arc::new(identity),
            access: Arc::new(access),
        })
    }

    /// Everything they may do, for the pages.
    pub fn access(&self) -> &Access {
        &self.access
    }

    /// Returns the privileges of a new key that its owner lacks.
    pub fn missing_for(&self, privileges: &AgentPrivileges) -> Vec<MissingPrivilege> {
        let lacks = |name: &&str| match *name {
            EVENT_WRITE => !self.access.can_delegate_event_write,
            CONFIG_AGENT_READ => !self.access.can_delegate_config_agent_read,
            _ => true,
        };
        privileges
            .names()
            .into_iter()
            .filter(lacks)
            .map(apm)
            .collect()
    }

    /// Returns the grant, or the missing privileges.
    pub fn grant<P: Permission>(&self) -> Result<Grant<P>, Vec<MissingPrivilege>> {
        match P::permit(&self.access) {
            Permit::Granted => Ok(Grant {
                identity: Arc::clone(&self.identity),
                permission: PhantomData,
            }),
            Permit::Missing(missing) => Err(missing.clone()),
        }
    }
}

fn question<'a>(
    kibana_feature: &KibanaFeatureCheck,
    resources: &'a [String],
) -> PrivilegesRequest<'a> {
    let mut application = vec![ApplicationPrivileges {
        application: APM,
        privileges: vec![EVENT_WRITE, CONFIG_AGENT_READ],
        resources: vec!["*"],
    }];
    application.extend(kibana_feature.question(resources));
    PrivilegesRequest {
        cluster: &CLUSTER,
        application,
    }
}

/// Returns the privileges that a role lacks to create and revoke agent keys with both privileges of `apm`. They are
/// evaluated as those of a user who has only this role.
pub fn missing_in_role(
    kibana_feature: &KibanaFeatureCheck,
    cluster: impl Fn(&str) -> bool,
    application: impl Fn(&str, &str, &str) -> bool,
    resources: impl Fn(&str) -> Vec<String>,
) -> Vec<MissingPrivilege> {
    let resources = kibana_feature.resources_of_role(resources);
    let answer =
        GrantedPrivileges::answer(&question(kibana_feature, &resources), cluster, application);
    let access = evaluate(&answer, kibana_feature, &resources);
    let mut missing = match access.create {
        Permit::Granted => Vec::new(),
        Permit::Missing(missing) => missing,
    };
    let delegated = [
        (access.can_delegate_event_write, EVENT_WRITE),
        (access.can_delegate_config_agent_read, CONFIG_AGENT_READ),
    ];
    for (_, privilege) in delegated.into_iter().filter(|(held, _)| !held) {
        let privilege = apm(privilege);
        if !missing.contains(&privilege) {
            missing.push(privilege);
        }
    }
    missing
}

fn evaluate(
    answer: &GrantedPrivileges,
    kibana_feature: &KibanaFeatureCheck,
    spaces: &[String],
) -> Access {
    let security = answer.cluster(MANAGE_SECURITY);
    let any_owner = security || answer.cluster(MANAGE_API_KEY);
    let own = any_owner || answer.cluster(MANAGE_OWN_API_KEY);
    let reads = any_owner || answer.cluster(READ_SECURITY);
    let event_write = answer.application(APM, "*", EVENT_WRITE);
    let config_agent_read = answer.application(APM, "*", CONFIG_AGENT_READ);
    let may_look = kibana_feature.missing_for_reading(answer, spaces);
    let may_change = kibana_feature.missing_for_changing(answer, spaces);

    let unless = |held: bool, privilege| (!held).then(|| cluster(privilege));
    let nothing_to_hand_on = (!event_write && !config_agent_read)
        .then(|| [apm(EVENT_WRITE), apm(CONFIG_AGENT_READ)])
        .into_iter()
        .flatten();
    Access {
        list: permit(
            unless(own || reads, MANAGE_OWN_API_KEY)
                .into_iter()
                .chain(may_look),
        ),
        create: permit(
            unless(own, MANAGE_OWN_API_KEY)
                .into_iter()
                .chain(nothing_to_hand_on)
                .chain(may_change.clone()),
        ),
        revoke: permit(
            unless(own, MANAGE_OWN_API_KEY)
                .into_iter()
                .chain(may_change.clone()),
        ),
        list_scope: reach(reads),
        revoke_scope: reach(any_owner),
        can_delegate_event_write: event_write,
        can_delegate_config_agent_read: config_agent_read,
        manage_security: permit(unless(security, MANAGE_SECURITY)),
        save_settings: permit(
            unless(any_owner, MANAGE_API_KEY)
                .into_iter()
                .chain(may_change),
        ),
        // No privilege decides, but the user's realm.
        own_password: Permit::Missing(Vec::new()),
    }
}

fn permit(missing: impl IntoIterator<Item = MissingPrivilege>) -> Permit {
    let missing: Vec<_> = missing.into_iter().collect();
    if missing.is_empty() {
        Permit::Granted
    } else {
        Permit::Missing(missing)
    }
}

fn reach(any_owner: bool) -> KeyScope {
    if any_owner {
        KeyScope::All
    } else {
        KeyScope::Own
    }
}

fn cluster(privilege: &str) -> MissingPrivilege {
    MissingPrivilege::Cluster(privilege.to_owned())
}

fn apm(privilege: &str) -> MissingPrivilege {
    MissingPrivilege::Application {
        application: APM.to_owned(),
        privilege: privilege.to_owned(),
        resource: "*".to_owned(),
    }
}

/// The application whose privileges agents use.
pub const APM: &str = "apm";
/// The application of Kibana's privileges.
pub const KIBANA: &str = "kibana-.kibana";
const FEATURE_ALL: &str = "feature_apm.all";
const FEATURE_READ: &str = "feature_apm.read";
/// Kibana's sub-feature for changing APM's settings, agent keys among them. It comes beside a minimal privilege.
const SETTINGS_SAVE: &str = "feature_apm.settings_save";
/// Each of these opens the page for changing. The broad ones include the narrow one, but Elasticsearch only knows
/// that where Kibana has registered its privileges, so each is asked for by name.
const CHANGING: [&str; 3] = [FEATURE_ALL, "all", "space_all"];
/// Each of these opens it for reading; together with [`SETTINGS_SAVE`], for changing.
const READING: [&str; 5] = [
    FEATURE_READ,
    "feature_apm.minimal_read",
    "feature_apm.minimal_all",
    "read",
    "space_read",
];
/// Any space will do.
const ANY_SPACE: &str = "*";
/// Spaces that are asked for at once.
const SPACES_MAX: usize = 100;

/// Checks Kibana's feature privilege for a space, where the settings require it.
#[derive(Clone, Debug)]
pub struct KibanaFeatureCheck {
    /// `space:default`, or `*` for any.
    resource: String,
    /// True if Kibana's privileges are required.
    counts: bool,
}

impl KibanaFeatureCheck {
    /// The kibana_feature, as the settings want it.
    pub fn new(access: &config::Access) -> Self {
        Self {
            resource: match access.kibana_space.as_str() {
                ANY_SPACE => ANY_SPACE.to_owned(),
                space => format!("space:{space}"),
            },
            counts: access.kibana_feature == config::KibanaFeature::Require,
        }
    }

    /// The resource that stands for the space in a role: `space:default`, or `*`.
    pub fn resource(&self) -> &str {
        &self.resource
    }

    /// Returns the resources to check. For any space, these are the spaces that the user's roles name.
    pub(super) async fn resources(&self, connection: &Connection) -> Result<Vec<String>, Error> {
        match self.resource.as_str() {
            _ if !self.counts => Ok(Vec::new()),
            ANY_SPACE => Ok(bounded(connection.application_resources(KIBANA).await?)),
            one => Ok(vec![one.to_owned()]),
        }
    }

    /// Returns the resources to check for a role. For any space, these are the spaces that it names.
    pub(super) fn resources_of_role(&self, named: impl Fn(&str) -> Vec<String>) -> Vec<String> {
        match self.resource.as_str() {
            _ if !self.counts => Vec::new(),
            ANY_SPACE => bounded(named(KIBANA)),
            one => vec![one.to_owned()],
        }
    }

    /// Returns the check of these resources.
    pub(super) fn question<'a>(
        &self,
        resources: &'a [String],
    ) -> Option<ApplicationPrivileges<'a>> {
        (!resources.is_empty()).then(|| ApplicationPrivileges {
            application: KIBANA,
            privileges: CHANGING
                .into_iter()
                .chain(READING)
                .chain([SETTINGS_SAVE])
                .collect(),
            resources: resources.iter().map(String::as_str).collect(),
        })
    }

    pub(super) fn missing_for_reading(
        &self,
        answer: &GrantedPrivileges,
        resources: &[String],
    ) -> Option<MissingPrivilege> {
        let opens = |resource: &String| {
            let mut names = CHANGING.into_iter().chain(READING);
            names.any(|name| answer.application(KIBANA, resource, name))
        };
        self.missing(resources.iter().any(opens), FEATURE_READ)
    }

    pub(super) fn missing_for_changing(
        &self,
        answer: &GrantedPrivileges,
        resources: &[String],
    ) -> Option<MissingPrivilege> {
        let opens = |resource: &String| {
            let has = |name: &str| answer.application(KIBANA, resource, name);
            CHANGING.into_iter().any(has) || (has(SETTINGS_SAVE) && READING.into_iter().any(has))
        };
        self.missing(resources.iter().any(opens), FEATURE_ALL)
    }

    fn missing(&self, is_open: bool, named: &str) -> Option<MissingPrivilege> {
        (self.counts && !is_open).then(|| MissingPrivilege::Application {
            application: KIBANA.to_owned(),
            privilege: named.to_owned(),
            resource: self.resource.clone(),
        })
    }
}

fn bounded(mut resources: Vec<String>) -> Vec<String> {
    resources.truncate(SPACES_MAX);
    if resources.is_empty() {
        resources.push(ANY_SPACE.to_owned());
    }
    resources
}
