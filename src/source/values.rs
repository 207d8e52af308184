//! Values made according to the rows of the catalogue, the same for every source.

use crate::model::catalogue::{Kind, Member, Row};
use crate::model::event::{Decision, Field, NOTIFY, Text, Value};
use crate::model::tables;

/// The value of a member that is an integer in C.
pub fn integer<'m>(kind: &'static Kind, number: i128) -> Value<'m> {
    match kind {
        Kind::Address => Value::Address(number),
        Kind::Flags(table) => Value::Flags(table, number),
        Kind::Enum(table) => Value::Enum(table, number),
        Kind::Mode => Value::Mode(number),
        Kind::Device => Value::Device(number),
        Kind::WaitStatus => Value::WaitStatus(number),
        _ => Value::Int(number),
    }
}

/// Appends the fields that show a message's action: its type unless the message reports something that has been done,
/// and the decision unless the operation was fully allowed.
pub fn push_action(
    fields: &mut Vec<Field<'_>>,
    row: Option<&'static Row>,
    action_type: Option<i128>,
    decision: Option<Decision>,
) {
    let mut push = |name, value| fields.push(Field::other("", Text::Known(name), value));
    if let Some(action_type) = action_type.filter(|action_type| *action_type != NOTIFY) {
        push(
            "action_type",
            Value::Enum(&tables::ACTION_TYPE, action_type),
        );
    }
    match decision.filter(|decision| !decision.is_allowed()) {
        Some(Decision::Auth(result)) => push("result", Value::Enum(&tables::AUTH_RESULT, result)),
        Some(Decision::Flags(granted)) => {
            // Only an open is answered with flags, which are those of its `fflag`.
            let table = row.and_then(|row| match row.member("", "fflag")?.kind {
                Kind::Flags(table) => Some(table),
                _ => None,
            });
            push(
                "result",
                match table {
                    Some(table) => Value::Flags(table, granted.into()),
                    None => Value::Address(granted.into()),
                },
            );
        }
        None => {}
    }
}

/// Names the values of a structure whose names depend on another of its members.
pub fn name_by_siblings(members: &'static [Member], fields: &mut [Field<'_>]) {
    for member in members {
        match member.kind {
            Kind::Flavor => name_by_sibling(fields, member.label, "type", flavor),
            Kind::CpuSubtype => name_by_sibling(fields, member.label, "image_cputype", cpusubtype),
            _ => {}
        }
    }
}

/// Gives a number its names by the value of another member of the same structure.
fn name_by_sibling<'m>(
    fields: &mut [Field<'m>],
    label: &str,
    sibling: &str,
    named: fn(i128, i128) -> Option<Value<'m>>,
) {
    let is = |field: &Field<'_>, name: &str| matches!(field.label.name, Text::Known(label) if label == name);
    let of = fields.iter().find_map(|field| match field.value {
        Value::Enum(_, number) if is(field, sibling) => Some(number),
        _ => None,
    });
    let field = fields.iter_mut().find(|field| is(field, label));
    if let (Some(of), Some(field)) = (of, field)
        && let Value::Int(number) = field.value
        && let Some(value) = named(of, number)
    {
        field.value = value;
    }
}

/// `proc_check.flavor`, by `es_proc_check_type_t`.
fn flavor<'m>(of: i128, number: i128) -> Option<Value<'m>> {
    let table = match of {
        1 => &tables::PROC_CHECK_LISTPIDS,
        2 => &tables::PROC_CHECK_PIDINFO,
        3 => &tables::PROC_CHECK_PIDFDINFO,
        6 => &tables::PROC_CHECK_PIDFILEPORTINFO,
        9 => &tables::PROC_CHECK_PIDRUSAGE,
        14 => &tables::PROC_CHECK_UDATA_INFO,
        _ => return None,
    };
    Some(Value::Enum(table, number))
}

/// `exec.image_cpusubtype`, by CPU type.
fn cpusubtype<'m>(of: i128, number: i128) -> Option<Value<'m>> {
    let table = match of {
        0x100_0007 => &tables::CPUSUBTYPE_X86_64,
        0x100_000c => &tables::CPUSUBTYPE_ARM64,
        0x200_000c => &tables::CPUSUBTYPE_ARM64_32,
        _ => return None,
    };
    Some(Value::Flags(table, number))
}
