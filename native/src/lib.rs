//! The native core of `statefun`: the same answers as `statefun.sdk.wire.python`, faster.
//!
//! `statefun.sdk.wire.native` gives it the Python functions that answer whatever is unusual.

mod builders;
mod carrier;
mod interpreter;
mod engine;
mod fastcall;
mod guarded;
mod hooks;
mod prefixes;
mod reply;
mod scalars;
mod storage;
mod turn;
pub mod wire;

use pyo3::prelude::*;

#[pymodule]
fn statefun_core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<carrier::Carrier>()?;
    module.add("MessageCarrier", module.py().get_type::<carrier::MessageCarrier>())?;
    module.add("EgressCarrier", module.py().get_type::<carrier::EgressCarrier>())?;
    module.add_class::<storage::Layout>()?;
    module.add_class::<storage::Storage>()?;
    module.add("Context", module.py().get_type::<turn::Context>())?;
    module.add_class::<turn::Turn>()?;
    module.add_class::<turn::Runner>()?;
    module.add_function(wrap_pyfunction!(hooks::install, module)?)?;
    module.add_function(wrap_pyfunction!(hooks::install_classes, module)?)?;
    module.add_function(wrap_pyfunction!(hooks::install_types, module)?)?;
    module.add_function(wrap_pyfunction!(carrier::incoming_message, module)?)?;
    module.add_function(wrap_pyfunction!(carrier::outgoing_message, module)?)?;
    module.add_function(wrap_pyfunction!(carrier::outgoing_text, module)?)?;
    module.add_function(wrap_pyfunction!(carrier::outgoing_egress_message, module)?)?;
    module.add_function(wrap_pyfunction!(reply::try_write_reply, module)?)?;
    module.add("message_builder", fastcall::function(module)?)?;
    module.add_function(wrap_pyfunction!(builders::kafka_egress_message, module)?)?;
    module.add_function(wrap_pyfunction!(builders::kinesis_egress_message, module)?)?;
    module.add_function(wrap_pyfunction!(builders::egress_message_builder, module)?)?;
    module.add_function(wrap_pyfunction!(engine::try_encode_request, module)?)?;
    module.add_function(wrap_pyfunction!(engine::try_decode_result, module)?)?;
    Ok(())
}
