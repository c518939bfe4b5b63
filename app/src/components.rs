//! Components of the pages. The CSS of a class is in `style/components`, in the file of that name.

pub mod code;
pub mod dialog;
pub mod focus;
pub mod form;
pub mod icon;
pub mod navigation;
pub mod problem;
pub mod status;
pub mod table;
