//! Components of the pages. The CSS of a class is in `style/components`, in the file of that name.

pub mod badge;
pub mod callout;
pub mod code;
pub mod dialog;
pub mod field;
pub mod focus;
pub mod form;
pub mod icon;
pub mod meter;
pub mod navigation;
pub mod pagination;
pub mod problem;
pub mod table;
pub mod theme;
