//! Role mappings: rules by which Elasticsearch gives roles to users of other realms than its own when they sign in.

use super::text::has_invisible;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Maximum length of a mapping's name and of a realm's name, in characters.
pub const NAME_CHARACTERS_MAX: usize = 128;
/// Maximum number of groups or users in the form.
pub const VALUES_MAX: usize = 50;
/// Maximum length of a group's or user's name, in characters.
pub const VALUE_CHARACTERS_MAX: usize = 512;
/// End of the names of mappings from the operator's settings file.
pub const OPERATOR_SUFFIX: &str = "-read-only-operator-config";

/// A role mapping that gives the agent key role, or may give it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleMapping {
    pub name: String,
    pub enabled: bool,
    pub rules: MappingRules,
    /// Roles that it gives besides the agent key role.
    pub other_roles: Vec<String>,
    /// True if Elasticsearch computes the roles from a template, so that the agent key role may be among them.
    pub has_templates: bool,
    pub warnings: Vec<MappingWarning>,
    pub matches_viewer: MatchesViewer,
    /// True for a mapping from the operator's settings file, which the API cannot change.
    pub is_operators: bool,
    /// Digest of the mapping as stored, by which a change made elsewhere is noticed.
    pub version: String,
}

impl RoleMapping {
    /// Returns the rule that the form can change; `None` for a mapping that it cannot.
    pub fn editable(&self) -> Option<&SimpleRule> {
        match &self.rules {
            MappingRules::Simple(rule) if !self.is_operators && !self.has_templates => Some(rule),
            _ => None,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MappingRules {
    Simple(SimpleRule),
    /// Any other rules, as JSON.
    Other(String),
}

/// Groups or users of one realm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SimpleRule {
    pub realm: String,
    pub subject: MappingSubject,
    /// Names of the groups or users. Any of them matches.
    pub values: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MappingSubject {
    #[default]
    Groups,
    Users,
}

impl MappingSubject {
    /// Returns the field of the rule.
    pub fn field(self) -> &'static str {
        match self {
            Self::Groups => "groups",
            Self::Users => "username",
        }
    }
}

/// A property of the rules that is easily overlooked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum MappingWarning {
    /// An empty `all` matches every user.
    MatchesEveryUser,
    /// No rule names a realm.
    AnyRealm,
    /// A name of a group is a pattern.
    GroupPattern,
}

impl fmt::Display for MappingWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MatchesEveryUser => {
                "An empty “all” matches every user who signs in through another realm than native."
            }
            Self::AnyRealm => {
                "The rules name no realm, so equal names in every other realm match too."
            }
            Self::GroupPattern => {
                "A group name is a pattern, and may match more groups than meant."
            }
        })
    }
}

/// Match of the rules with the signed-in user, as far as Elasticsearch tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MatchesViewer {
    Yes,
    No,
    /// The user's groups, for example, are not known.
    Unknown,
    /// The user's realm is one to which Elasticsearch applies no mappings.
    OwnRealm,
}

impl MatchesViewer {
    pub fn label(self) -> &'static str {
        match self {
            Self::Yes => "Yes",
            Self::No => "No",
            Self::Unknown => "Cannot tell",
            Self::OwnRealm => "No",
        }
    }

    /// Returns the reason, where the label needs one.
    pub fn reason(self) -> Option<&'static str> {
        match self {
            Self::Yes | Self::No => None,
            Self::Unknown => Some("Elasticsearch does not tell your groups"),
            Self::OwnRealm => Some("Your realm uses no mappings"),
        }
    }
}

/// The fields of the form for a role mapping, as typed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RoleMappingForm {
    pub name: String,
    pub realm: String,
    pub subject: MappingSubject,
    /// One name a line.
    pub values: String,
    /// Present if the mapping is enabled.
    pub enabled: Option<String>,
}

/// A validated mapping from the form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRoleMapping {
    pub name: String,
    pub rule: SimpleRule,
    pub enabled: bool,
}

/// Validation errors of the form, by field.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleMappingErrors {
    pub name: Option<MappingNameError>,
    pub realm: Option<RealmError>,
    pub values: Option<MappingValueError>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MappingNameError {
    Empty,
    TooLong,
    Characters,
    /// It ends like the names of mappings from the operator's file.
    OperatorSuffix,
    /// A mapping of this name exists.
    Taken,
}

impl fmt::Display for MappingNameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "Enter a name.",
            Self::TooLong => "Use at most 128 characters.",
            Self::Characters => "Use letters, digits and the signs “-”, “_” and “.”.",
            Self::OperatorSuffix => {
                "Choose another end. Elasticsearch keeps this one for mappings from its settings file."
            }
            Self::Taken => "A role mapping of this name exists. Choose another name.",
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RealmError {
    Empty,
    /// Too long, a pattern, or with invisible characters.
    Invalid,
    /// Elasticsearch applies no mappings to this realm.
    UsesNoMappings,
}

impl fmt::Display for RealmError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "Enter the name of the realm.",
            Self::Invalid => {
                "Use at most 128 characters, without “*”, “?”, “/” or invisible characters."
            }
            Self::UsesNoMappings => {
                "Elasticsearch applies no mappings to users of this realm. Give them the role in the list of users."
            }
        })
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MappingValueError {
    Empty,
    TooMany,
    TooLong(String),
    Invisible(String),
    /// Elasticsearch would read this name as a pattern.
    Pattern(String),
}

impl fmt::Display for MappingValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("Enter at least one name."),
            Self::TooMany => write!(
                f,
                "Enter at most {VALUES_MAX} names, or use several mappings."
            ),
            Self::TooLong(name) => {
                let start: String = name.chars().take(30).collect();
                write!(
                    f,
                    "“{start}…” has more than {VALUE_CHARACTERS_MAX} characters."
                )
            }
            Self::Invisible(name) => {
                let name = super::text::visible(name);
                write!(f, "“{name}” has characters that cannot be seen.")
            }
            Self::Pattern(name) => write!(
                f,
                "Elasticsearch reads “{name}” as a pattern. Enter whole names, without “*”, “?” or “\\”, and not between slashes."
            ),
        }
    }
}

impl RoleMappingForm {
    /// Returns the form that shows a mapping.
    pub fn of(name: &str, rule: &SimpleRule, enabled: bool) -> Self {
        Self {
            name: name.to_owned(),
            realm: rule.realm.clone(),
            subject: rule.subject,
            values: rule.values.join("\n"),
            enabled: enabled.then(|| "on".to_owned()),
        }
    }

    /// Parses the form of a new mapping.
    pub fn parse(&self) -> Result<NewRoleMapping, RoleMappingErrors> {
        let name = self.name.trim().to_owned();
        let error = check_name(&name).err();
        self.parse_with(name, error)
    }

    /// Parses the form of an existing mapping, whose name may be any.
    pub fn parse_change(&self) -> Result<NewRoleMapping, RoleMappingErrors> {
        self.parse_with(self.name.clone(), None)
    }

    fn parse_with(
        &self,
        name: String,
        name_error: Option<MappingNameError>,
    ) -> Result<NewRoleMapping, RoleMappingErrors> {
        let realm = self.realm.trim();
        match (name_error, check_realm(realm), self.parse_values()) {
            (None, Ok(()), Ok(values)) => Ok(NewRoleMapping {
                name,
                rule: SimpleRule {
                    realm: realm.to_owned(),
                    subject: self.subject,
                    values,
                },
                enabled: self.enabled.is_some(),
            }),
            (name, realm, values) => Err(RoleMappingErrors {
                name,
                realm: realm.err(),
                values: values.err(),
            }),
        }
    }

    fn parse_values(&self) -> Result<Vec<String>, MappingValueError> {
        let mut values: Vec<String> = Vec::new();
        for name in self.values.lines().map(str::trim) {
            if name.is_empty() || values.iter().any(|value| value == name) {
                continue;
            }
            let name = name.to_owned();
            if name.chars().count() > VALUE_CHARACTERS_MAX {
                return Err(MappingValueError::TooLong(name));
            }
            if has_invisible(&name) {
                return Err(MappingValueError::Invisible(name));
            }
            if is_pattern(&name) {
                return Err(MappingValueError::Pattern(name));
            }
            values.push(name);
        }
        match values.len() {
            0 => Err(MappingValueError::Empty),
            1..=VALUES_MAX => Ok(values),
            _ => Err(MappingValueError::TooMany),
        }
    }
}

fn check_name(name: &str) -> Result<(), MappingNameError> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() {
        Err(MappingNameError::Empty)
    } else if name.chars().count() > NAME_CHARACTERS_MAX {
        Err(MappingNameError::TooLong)
    } else if !name.chars().all(is_plain) || name.chars().all(|c| c == '.') {
        Err(MappingNameError::Characters)
    } else if name.ends_with(OPERATOR_SUFFIX) {
        Err(MappingNameError::OperatorSuffix)
    } else {
        Ok(())
    }
}

fn check_realm(realm: &str) -> Result<(), RealmError> {
    if realm.is_empty() {
        Err(RealmError::Empty)
    } else if matches!(
        realm,
        "native" | "reserved" | "file" | "default_native" | "default_file"
    ) {
        Err(RealmError::UsesNoMappings)
    } else if realm.chars().count() > NAME_CHARACTERS_MAX
        || realm.contains('/')
        || is_pattern(realm)
        || has_invisible(realm)
    {
        Err(RealmError::Invalid)
    } else {
        Ok(())
    }
}

/// Returns true if Elasticsearch may read the value as a pattern: with wildcards, escapes, or an expression between slashes.
pub fn is_pattern(value: &str) -> bool {
    value.contains(['*', '?', '\\'])
        || (value.len() > 1 && value.starts_with('/') && value.ends_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(name: &str, realm: &str, values: &str) -> RoleMappingForm {
        RoleMappingForm {
            name: name.to_owned(),
            realm: realm.to_owned(),
            values: values.to_owned(),
            ..RoleMappingForm::default()
        }
    }

    #[test]
    fn form_is_parsed_into_one_name_a_line_without_repetitions() {
        let parsed = form(
            " agents ",
            " saml1 ",
            "apm-writers\r\n\r\n cn=Dev,dc=example \napm-writers",
        );
        let parsed = parsed.parse().unwrap();
        assert_eq!((parsed.name.as_str(), parsed.enabled), ("agents", false));
        assert_eq!(parsed.rule.realm, "saml1");
        assert_eq!(parsed.rule.values, ["apm-writers", "cn=Dev,dc=example"]);
        let shown = RoleMappingForm::of(&parsed.name, &parsed.rule, true);
        let again = shown.parse().unwrap();
        assert!(again.enabled);
        assert_eq!(again.rule, parsed.rule);
    }

    #[test]
    fn name_of_a_mapping_is_plain() {
        use MappingNameError as E;
        let long = "a".repeat(NAME_CHARACTERS_MAX);
        #[rustfmt::skip]
        let rows = [
            ("", Some(E::Empty)), ("  ", Some(E::Empty)), ("a", None), ("apm_agents-1.x", None),
            (long.as_str(), None), (&format!("{long}a"), Some(E::TooLong)),
            ("a,b", Some(E::Characters)), ("a/b", Some(E::Characters)), ("ä", Some(E::Characters)),
            (".", Some(E::Characters)), ("..", Some(E::Characters)), ("a b", Some(E::Characters)),
            ("x-read-only-operator-config", Some(E::OperatorSuffix)),
        ];
        for (name, error) in rows {
            let parsed = form(name, "saml1", "a").parse();
            assert_eq!(parsed.err().and_then(|errors| errors.name), error, "{name}");
        }
    }

    #[test]
    fn realm_is_a_name_to_which_mappings_apply() {
        use RealmError as E;
        #[rustfmt::skip]
        let rows = [
            ("", Some(E::Empty)), ("saml1", None), ("my realm", None), ("*", Some(E::Invalid)),
            ("/a/", Some(E::Invalid)), ("a\u{202e}b", Some(E::Invalid)), ("native", Some(E::UsesNoMappings)),
            ("reserved", Some(E::UsesNoMappings)), ("default_native", Some(E::UsesNoMappings)),
        ];
        for (realm, error) in rows {
            let parsed = form("a", realm, "a").parse();
            assert_eq!(
                parsed.err().and_then(|errors| errors.realm),
                error,
                "{realm}"
            );
        }
    }

    #[test]
    fn names_of_groups_are_whole_names() {
        use MappingValueError as E;
        let pattern = |name: &str| Some(E::Pattern(name.to_owned()));
        let many = |count: usize| (0..count).map(|n| format!("g{n}\n")).collect::<String>();
        let long = "a".repeat(VALUE_CHARACTERS_MAX);
        #[rustfmt::skip]
        let rows = [
            (" \n ".to_owned(), Some(E::Empty)), ("apm-*".to_owned(), pattern("apm-*")),
            ("a\nb?".to_owned(), pattern("b?")), ("/a|b/".to_owned(), pattern("/a|b/")),
            ("CN=a\\,b".to_owned(), pattern("CN=a\\,b")), ("/keycloak/path".to_owned(), None),
            ("/".to_owned(), None), ("a\u{200b}".to_owned(), Some(E::Invisible("a\u{200b}".to_owned()))),
            (many(VALUES_MAX), None), (many(VALUES_MAX + 1), Some(E::TooMany)),
            (long.clone(), None), (format!("{long}a"), Some(E::TooLong(format!("{long}a")))),
        ];
        for (values, error) in rows {
            let parsed = form("a", "saml1", &values).parse();
            assert_eq!(
                parsed.err().and_then(|errors| errors.values),
                error,
                "{values}"
            );
        }
    }
}
