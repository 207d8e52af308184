//! XPC objects, as far as reading them goes: exec's entitlements are a dictionary.
//!
//! An object is made from JSON and lives as long as the process; retaining and releasing it is counted by nobody. What
//! JSON can't say is said by an object of one member: `{"$data":"C0FFEE"}`, `{"$date":1700000000000000000}` in
//! nanoseconds.

use std::ffi::{CStr, CString, c_char, c_void};
use std::ptr;

use super::blocks::Block;
use super::{Export, functions};
use crate::builder::hex;
use crate::json::Json;

/// A type, which is told apart by its address.
#[repr(C)]
struct Type([usize; 4]);

macro_rules! types {
    ($($constant:ident $name:literal)*) => {
        $(static $constant: Type = Type([0; 4]);)*
        fn types() -> Vec<Export> {
            vec![$(($name, &raw const $constant as usize)),*]
        }
    };
}

types! {
    ARRAY "_xpc_type_array"
    BOOL "_xpc_type_bool"
    DATA "_xpc_type_data"
    DATE "_xpc_type_date"
    DICTIONARY "_xpc_type_dictionary"
    DOUBLE "_xpc_type_double"
    INT64 "_xpc_type_int64"
    NULL "_xpc_type_null"
    STRING "_xpc_type_string"
    UINT64 "_xpc_type_uint64"
}

/// An XPC object.
pub enum Object {
    /// No value.
    Null,
    /// A truth value.
    Bool(bool),
    /// A number that fits a signed one.
    Int64(i64),
    /// A number that fits an unsigned one only.
    Uint64(u64),
    /// A number with a fraction.
    Double(f64),
    /// A string.
    String(CString),
    /// Bytes.
    Data(Vec<u8>),
    /// Nanoseconds since 1970.
    Date(i64),
    /// Values.
    Array(Vec<Object>),
    /// Values by name, in their order.
    Dictionary(Vec<(CString, Object)>),
}

/// Makes an object.
pub fn object(json: &Json) -> Object {
    let string = |bytes: &[u8]| {
        let end = bytes
            .iter()
            .position(|&byte| byte == 0)
            .unwrap_or(bytes.len());
        CString::new(&bytes[..end]).unwrap_or_default()
    };
    match json {
        Json::Null => Object::Null,
        Json::Bool(value) => Object::Bool(*value),
        Json::Int(number) => match i64::try_from(*number) {
            Ok(number) => Object::Int64(number),
            Err(_) => Object::Uint64(*number as u64),
        },
        Json::Float(number) => Object::Double(*number),
        Json::String(bytes) => Object::String(string(bytes)),
        Json::Array(items) => Object::Array(items.iter().map(object).collect()),
        Json::Object(members) => match members.as_slice() {
            [(name, value)] if name == "$data" => Object::Data(hex(value).unwrap_or_default()),
            [(name, Json::Int(value))] if name == "$date" => Object::Date(*value as i64),
            _ => {
                let member =
                    |(name, value): &(String, Json)| (string(name.as_bytes()), object(value));
                Object::Dictionary(members.iter().map(member).collect())
            }
        },
    }
}

/// The object that the program passes.
fn given<'a>(object: *const Object) -> Option<&'a Object> {
    // SAFETY: made here, and never freed; NULL is nothing.
    unsafe { object.as_ref() }
}

extern "C" fn xpc_get_type(object: *const Object) -> *const c_void {
    let kind: &Type = match given(object) {
        None => return ptr::null(),
        Some(Object::Null) => &NULL,
        Some(Object::Bool(_)) => &BOOL,
        Some(Object::Int64(_)) => &INT64,
        Some(Object::Uint64(_)) => &UINT64,
        Some(Object::Double(_)) => &DOUBLE,
        Some(Object::String(_)) => &STRING,
        Some(Object::Data(_)) => &DATA,
        Some(Object::Date(_)) => &DATE,
        Some(Object::Array(_)) => &ARRAY,
        Some(Object::Dictionary(_)) => &DICTIONARY,
    };
    ptr::from_ref(kind).cast()
}

extern "C" fn xpc_retain(object: *const Object) -> *const Object {
    object
}

extern "C" fn xpc_release(_: *const Object) {}

fn members<'a>(object: *const Object) -> &'a [(CString, Object)] {
    match given(object) {
        Some(Object::Dictionary(members)) => members,
        _ => &[],
    }
}

fn items<'a>(object: *const Object) -> &'a [Object] {
    match given(object) {
        Some(Object::Array(items)) => items,
        _ => &[],
    }
}

/// Calls a block for each until it says stop.
fn apply<K>(block: *const Block, values: impl Iterator<Item = (K, *const Object)>) -> bool {
    type Applier<K> = extern "C" fn(*const Block, K, *const Object) -> bool;
    // SAFETY: the caller's block.
    let function = unsafe { (*block).invoke() };
    // SAFETY: the block is of the type that the function takes.
    let function = unsafe { std::mem::transmute::<*const c_void, Applier<K>>(function) };
    values
        .into_iter()
        .all(|(key, value)| function(block, key, value))
}

extern "C" fn xpc_dictionary_apply(dictionary: *const Object, block: *const Block) -> bool {
    let values = members(dictionary).iter();
    apply(
        block,
        values.map(|(name, value)| (name.as_ptr(), ptr::from_ref(value))),
    )
}

extern "C" fn xpc_dictionary_get_count(dictionary: *const Object) -> usize {
    members(dictionary).len()
}

extern "C" fn xpc_dictionary_get_value(
    dictionary: *const Object,
    key: *const c_char,
) -> *const Object {
    // SAFETY: a string of the caller's.
    let key = unsafe { CStr::from_ptr(key) };
    let found = members(dictionary)
        .iter()
        .find(|(name, _)| name.as_c_str() == key);
    found.map_or(ptr::null(), |(_, value)| value)
}

extern "C" fn xpc_array_apply(array: *const Object, block: *const Block) -> bool {
    let values = items(array).iter().enumerate();
    apply(
        block,
        values.map(|(index, value)| (index, ptr::from_ref(value))),
    )
}

extern "C" fn xpc_array_get_count(array: *const Object) -> usize {
    items(array).len()
}

extern "C" fn xpc_array_get_value(array: *const Object, index: usize) -> *const Object {
    items(array).get(index).map_or(ptr::null(), ptr::from_ref)
}

extern "C" fn xpc_string_get_string_ptr(string: *const Object) -> *const c_char {
    match given(string) {
        Some(Object::String(text)) => text.as_ptr(),
        _ => ptr::null(),
    }
}

extern "C" fn xpc_string_get_length(string: *const Object) -> usize {
    match given(string) {
        Some(Object::String(text)) => text.count_bytes(),
        _ => 0,
    }
}

extern "C" fn xpc_bool_get_value(object: *const Object) -> bool {
    matches!(given(object), Some(Object::Bool(true)))
}

extern "C" fn xpc_int64_get_value(object: *const Object) -> i64 {
    match given(object) {
        Some(Object::Int64(number)) => *number,
        _ => 0,
    }
}

extern "C" fn xpc_uint64_get_value(object: *const Object) -> u64 {
    match given(object) {
        Some(Object::Uint64(number)) => *number,
        _ => 0,
    }
}

extern "C" fn xpc_double_get_value(object: *const Object) -> f64 {
    match given(object) {
        Some(Object::Double(number)) => *number,
        _ => f64::NAN,
    }
}

fn data<'a>(object: *const Object) -> &'a [u8] {
    match given(object) {
        Some(Object::Data(bytes)) => bytes,
        _ => &[],
    }
}

extern "C" fn xpc_data_get_bytes_ptr(object: *const Object) -> *const u8 {
    data(object).as_ptr()
}

extern "C" fn xpc_data_get_length(object: *const Object) -> usize {
    data(object).len()
}

extern "C" fn xpc_date_get_value(object: *const Object) -> i64 {
    match given(object) {
        Some(Object::Date(nanoseconds)) => *nanoseconds,
        _ => 0,
    }
}

/// The functions and data of this area.
pub fn exports() -> Vec<Export> {
    let mut exports = types();
    exports.extend(functions![
        xpc_array_apply,
        xpc_array_get_count,
        xpc_array_get_value,
        xpc_bool_get_value,
        xpc_data_get_bytes_ptr,
        xpc_data_get_length,
        xpc_date_get_value,
        xpc_dictionary_apply,
        xpc_dictionary_get_count,
        xpc_dictionary_get_value,
        xpc_double_get_value,
        xpc_get_type,
        xpc_int64_get_value,
        xpc_release,
        xpc_retain,
        xpc_string_get_length,
        xpc_string_get_string_ptr,
        xpc_uint64_get_value,
    ]);
    exports
}
