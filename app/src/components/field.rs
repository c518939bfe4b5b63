//! Form fields: label, input, help, errors; and the search box.

use super::icon::{Icon, IconName};
use leptos::{html, prelude::*};

/// The kinds of text a field takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FieldKind {
    /// Any text.
    #[default]
    Text,
    /// A text that is not shown.
    Password,
    /// An address to write to.
    Email,
    /// A web address.
    Url,
}

impl FieldKind {
    fn word(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Password => "password",
            Self::Email => "email",
            Self::Url => "url",
        }
    }
}

/// A text field.
#[component]
pub fn TextField(
    /// The element's id; its messages derive theirs from it.
    id: &'static str,
    /// The name in the form.
    name: &'static str,
    /// The label.
    label: &'static str,
    /// What kind of text.
    #[prop(optional)]
    kind: FieldKind,
    /// What is typed already.
    #[prop(optional, into)]
    value: String,
    /// Why, not what.
    #[prop(optional, into)]
    help: Option<String>,
    /// What is wrong with it, one sentence each.
    #[prop(into)]
    errors: Signal<Vec<String>>,
    /// The form cannot be sent without it.
    #[prop(optional)]
    required: bool,
    /// Gets the focus when its page or dialog opens.
    #[prop(optional)]
    autofocus: bool,
    /// The browser's own completion, for example `username`.
    #[prop(default = "off")]
    autocomplete: &'static str,
    /// A class of letters of equal width.
    #[prop(optional)]
    mono: bool,
) -> impl IntoView {
    let error_id = format!("{id}-error");
    let help_id = format!("{id}-help");
    let described_by = {
        let (error_id, help_id, has_help) = (error_id.clone(), help_id.clone(), help.is_some());
        move || {
            let mut ids = Vec::new();
            if !errors.read().is_empty() {
                ids.push(error_id.clone());
            }
            if has_help {
                ids.push(help_id.clone());
            }
            (!ids.is_empty()).then(|| ids.join(" "))
        }
    };
    view! {
        <div class="field">
            <label for=id>{label} {(!required).then(|| view! { <small>" Optional"</small> })}</label>
            <div class="input" data-mono=mono>
                <input
                    type=kind.word()
                    id=id
                    name=name
                    value=value
                    autocomplete=autocomplete
                    autocapitalize="none"
                    spellcheck="false"
                    autofocus=autofocus
                    aria-required=required.then_some("true")
                    aria-invalid=move || (!errors.read().is_empty()).then_some("true")
                    aria-describedby=described_by
                />
            </div>
            <FieldErrors id=error_id errors />
            {help.map(|help| view! { <p data-part="help" id=help_id>{help}</p> })}
        </div>
    }
    .into_any()
}

/// What is wrong with a field.
#[component]
pub fn FieldErrors(
    /// The id that the field's `aria-describedby` names.
    #[prop(into)]
    id: String,
    /// One sentence each.
    errors: Signal<Vec<String>>,
) -> impl IntoView {
    move || {
        let text = errors.read().join(" ");
        (!text.is_empty()).then(|| {
            view! {
                <p data-part="error" id=id.clone()>
                    <Icon name=IconName::Fail />
                    <span>{text}</span>
                </p>
            }
        })
    }
}

/// The field and its button, which only a screen reader meets: everybody else presses Enter.
#[component]
pub fn SearchBox(
    /// The parameter in the address.
    name: &'static str,
    /// What is searched.
    label: &'static str,
    /// What may be typed.
    placeholder: &'static str,
    /// What was typed.
    value: String,
    /// To put the focus back into the field.
    #[prop(optional)]
    field: NodeRef<html::Input>,
) -> impl IntoView {
    view! {
        <div class="input" data-size="sm">
            <Icon name=IconName::Search />
            <input
                node_ref=field
                type="search"
                name=name
                aria-label=label
                placeholder=placeholder
                value=value
            />
            <button type="submit" class="visually-hidden">"Search"</button>
        </div>
    }
    .into_any()
}
