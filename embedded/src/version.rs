//! Versions of Elasticsearch, and the features that came with them.

/// A version of Elasticsearch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    pub major: u32,
    pub minor: u32,
}

/// Features that came after 8.0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Feature {
    UpdateKey,
    BulkUpdateKeys,
    QueryRoles,
    QueryUsers,
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
    /// The first version with the feature, from Elasticsearch's release notes and specification.
    const fn since(self) -> Version {
        match self {
            Self::UpdateKey => Version::new(8, 4),
            // Absent from the source of 7.15, present in the documentation of 8.4. The later is
            // assumed.
            Self::ExistsQuery => Version::new(8, 4),
            Self::BulkUpdateKeys
            | Self::RoleDescriptorsOfKeys
            | Self::LimitedByOfKeys
            | Self::ProfileUidOfUsers
            | Self::ReadSecurity => Version::new(8, 5),
            // By the dates of the changes; no release notes were found.
            Self::Restriction | Self::CredentialsFirst => Version::new(8, 9),
            Self::ActiveOnly | Self::TypeOfKeys => Version::new(8, 10),
            Self::InvalidationOfKeys => Version::new(8, 12),
            Self::Aggregations
            | Self::ExpirationInUpdate
            | Self::MatchQuery
            | Self::SimpleQueryString
            | Self::AnyMetadataInQuery
            | Self::SortByType => Version::new(8, 13),
            Self::ProfileUid | Self::TypedKeys | Self::QueryUsers => Version::new(8, 14),
            Self::CommaInChallenge
            | Self::RoleDescription
            | Self::RemoteCluster
            | Self::QueryRoles => Version::new(8, 15),
            Self::ManagedBy => Version::new(9, 4),
        }
    }
}

impl Version {
    /// The version that the engine answers as, unless a test sets an older one.
    pub const CURRENT: Self = Self::new(9, 5);

    pub const fn new(major: u32, minor: u32) -> Self {
        Self { major, minor }
    }

    /// The number in `GET /`, for example `9.5.0`.
    pub(crate) fn number(self) -> String {
        format!("{}.{}.0", self.major, self.minor)
    }

    /// The version of Lucene in `GET /`.
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

    /// The oldest compatible node, and the oldest readable index.
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

    /// Returns true if the version has the cluster privilege `name`.
    pub(crate) fn has_cluster_privilege(self, name: &str) -> bool {
        // The first versions of the others are not recorded.
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
