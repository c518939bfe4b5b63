//! Form fields: label, input, help, errors; and the search box.

use super::{
    form::is_refused,
    icon::{Icon, IconName},
};
use leptos::{html, prelude::*};

/// Type of a text field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FieldKind {
    #[default]
    Text,
    Password,
    Email,
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

#[component]
pub fn TextField(
    /// Id of the input; the ids of help and errors derive from it.
    id: &'static str,
    name: &'static str,
    label: &'static str,
    #[prop(optional)] kind: FieldKind,
    /// Initial value.
    #[prop(optional, into)]
    value: String,
    #[prop(optional, into)] help: Option<String>,
    /// Validation errors, one sentence each.
    #[prop(into)]
    errors: Signal<Vec<String>>,
    #[prop(optional)] required: bool,
    #[prop(optional)] autofocus: bool,
    /// Value of `autocomplete`, for example `username`.
    #[prop(default = "off")]
    autocomplete: &'static str,
    /// True for a monospace font.
    #[prop(optional)]
    mono: bool,
) -> impl IntoView {
    // Without script, an invalid field comes before the usual one.
    let autofocus = if is_refused() {
        !errors.read_untracked().is_empty()
    } else {
        autofocus
    };
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

/// Validation errors of a field.
#[component]
pub fn FieldErrors(
    /// Id in the field's `aria-describedby`.
    #[prop(into)]
    id: String,
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

/// Search field with a submit button for screen readers.
#[component]
pub fn SearchBox(
    /// Parameter in the address.
    name: &'static str,
    /// Accessible name.
    label: &'static str,
    placeholder: &'static str,
    value: String,
    /// Element of the input, to set the focus.
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
