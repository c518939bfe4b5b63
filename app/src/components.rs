//! The parts pages are made of. Each knows how it looks and nothing of the domain, unless its name says so.
//! Its CSS is in `style/components`, under the same name.

pub mod badge;
pub mod callout;
pub mod code;
pub mod dialog;
pub mod field;
pub mod form;
pub mod icon;
pub mod meter;
pub mod navigation;
pub mod problem;
pub mod table;
