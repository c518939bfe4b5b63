//! Versions of Elasticsearch, and the features that came with them.

/// A version of Elasticsearch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// The first number.
    pub major: u32,
    /// The second number.
    pub minor: u32,
}

/// What came with a later version than 8.0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Feature {
    UpdateKey,
    BulkUpdateKeys,
    RoleDescriptorsOfKeys,
    LimitedByOfKeys,
    ReadSecurity,
    ProfileUid,
    ActiveOnly,
    TypeOfKeys,
    InvalidationOfKeys,
    Aggregations,
    ExpirationInUpdate,
    ExistsQuery,
    MatchQuery,
    SimpleQueryString,
    /// `metadata` without a path, as the field of a query.
    AnyMetadataInQuery,
    SortByType,
    TypedKeys,
    ProfileUidOfUsers,
    Restriction,
    CredentialsFirst,
    CommaInChallenge,
    RoleDescription,
    RemoteCluster,
    ManagedBy,
}

impl Feature {
    /// The version that brought it: Elasticsearch's release notes and specification.
    const fn since(self) -> Version {
        match self {
            Self::UpdateKey => Version::new(8, 4),
            // Not in the source of 7.15, in the documentation of 8.4. In between is not known: the later is assumed.
            Self::ExistsQuery => Version::new(8, 4),
            Self::BulkUpdateKeys
            | Self::RoleDescriptorsOfKeys
            | Self::LimitedByOfKeys
            | Self::ProfileUidOfUsers
            | Self::ReadSecurity => Version::new(8, 5),
            // Both by the date of the change; no release notes were seen.
            Self::Restriction | Self::CredentialsFirst => Version::new(8, 9),
            Self::ActiveOnly | Self::TypeOfKeys => Version::new(8, 10),
            Self::InvalidationOfKeys => Version::new(8, 12),
            Self::Aggregations
            | Self::ExpirationInUpdate
            | Self::MatchQuery
            | Self::SimpleQueryString
            | Self::AnyMetadataInQuery
            | Self::SortByType => Version::new(8, 13),
            Self::ProfileUid | Self::TypedKeys => Version::new(8, 14),
            Self::CommaInChallenge | Self::RoleDescription | Self::RemoteCluster => {
                Version::new(8, 15)
            }
            Self::ManagedBy => Version::new(9, 4),
        }
    }
}

impl Version {
    /// What the engine answers as, unless a test asks for an older one.
    pub const CURRENT: Self = Self::new(9, 5);

    /// A version.
    pub const fn new(major: u32, minor: u32) -> Self {
        Self { major, minor }
    }

    /// As `GET /` has it, for example `9.5.0`.
    pub(crate) fn number(self) -> String {
        format!("{}.{}.0", self.major, self.minor)
    }

    /// The Lucene inside, as `GET /` has it.
    pub(crate) const fn lucene(self) -> &'static str {
        match (self.major, self.minor) {
            (..=8, ..=4) => "9.0.0",
            (..=8, ..=12) => "9.4.1",
            (..=8, ..=18) => "9.10.0",
            (..=8, _) => "9.12.2",
            (_, 0) => "10.1.0",
            _ => "10.3.1",
        }
    }

    /// The oldest node that it shares a cluster with, and the oldest index that it reads.
    pub(crate) const fn oldest(self) -> (&'static str, &'static str) {
        match (self.major, self.minor) {
            (..=8, _) => ("7.17.0", "7.0.0"),
            (_, 0) => ("8.18.0", "8.0.0"),
            _ => ("8.19.0", "8.0.0"),
        }
    }

    /// Returns true if credentials are checked before path and method.
    pub(crate) fn checks_credentials_first(self) -> bool {
        self.has(Feature::CredentialsFirst)
    }

    /// Returns true if it has the cluster privilege called `name`, which is one of the engine's.
    pub(crate) fn has_cluster_privilege(self, name: &str) -> bool {
        // Since when there are others is not recorded.
        name != "read_security" || self.has(Feature::ReadSecurity)
    }

    /// Returns true if `Basic realm="security"` is followed by a comma.
    pub(crate) fn has_comma_in_challenge(self) -> bool {
        self.has(Feature::CommaInChallenge)
    }

    pub(crate) fn has(self, feature: Feature) -> bool {
        self >= feature.since()
    }
}
