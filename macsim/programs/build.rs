//! Writes the offsets that macsim builds messages by as constants, for the check in `src/layout.rs`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

fn main() {
    let table = "../data/offsets.tsv";
    println!("cargo::rerun-if-changed={table}");
    let text = std::fs::read_to_string(table).expect("the table can be read");
    let mut modules: BTreeMap<String, String> = BTreeMap::new();
    for row in text.lines().skip(1) {
        let columns: Vec<_> = row.split('\t').collect();
        let structure = columns[0].replace(' ', "_");
        let module = modules.entry(structure).or_default();
        let (name, value) = match columns[1] {
            "(whole)" => ("SIZE".to_string(), columns[3]),
            member => (member.replace('.', "__"), columns[2]),
        };
        writeln!(module, "    pub const r#{name}: usize = {value};").expect("a String takes all");
    }
    let mut source = String::new();
    for (structure, constants) in modules {
        write!(source, "pub mod {structure} {{\n{constants}}}\n").expect("a String takes all");
    }
    let out = std::env::var("OUT_DIR").expect("cargo sets it");
    std::fs::write(format!("{out}/offsets.rs"), source).expect("the constants can be written");
}
