//! Who sits in front of the program.

/// The name under which answers are recorded: the one that was typed, otherwise that of the user of the machine.
pub(crate) fn named(typed: Option<&str>) -> String {
    let of_machine = || ["USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok());
    let name = typed.map(str::to_owned).or_else(of_machine);
    name.filter(|name| !name.trim().is_empty()).unwrap_or_else(|| "a person".to_owned())
}
