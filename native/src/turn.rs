//! Turns: one request, from its bytes to those of its reply.
//!
//! Law: no borrow of a Python object is held while Python code may run.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use pyo3::exceptions::{PyRuntimeError, PyStopIteration};
use pyo3::gc::PyVisit;
use pyo3::prelude::*;
use pyo3::types::{
    PyBytes, PyDelta, PyDeltaAccess, PyDict, PyList, PyString, PyTuple,
};
use pyo3::PyTraverseError;

use crate::carrier::{self, new_message, Held, MessageCarrier};
use crate::guarded::Guarded;
use crate::interpreter::{is_coroutine, references, send, Sent};
use crate::hooks::{classes, hook};
use crate::reply::{around, put_effects};
use crate::storage::{Layout, Storage};
use crate::wire::{self, Request, Span, Target};

/// A registered function.
struct Plan {
    fun: Py<PyAny>,
    is_async: bool,
    typename: Py<PyString>,
    layout: Py<Layout>,
}

// --- the context ---------------------------------------------------------------------------------

/// The context of one batch, with the effects that were asked for through it.
#[pyclass(frozen, module = "statefun.sdk.context", name = "BatchContext")]
pub struct Context {
    body: Py<PyBytes>,
    request: Request,
    typename: Py<PyString>,
    target_id: Py<PyString>,
    storage: Py<Storage>,
    state: Guarded<State>,
}

/// What changes while a batch runs.
#[derive(Default)]
struct State {
    address: Option<Py<PyAny>>,
    batch: Option<Py<PyAny>>,
    position: usize,
    /// Whether the function has acted on the outside world.
    has_acted: bool,
    has_ended: bool,
    messages: Option<Py<PyList>>,
    delayed: Option<Py<PyList>>,
    egress: Option<Py<PyList>>,
}

/// An address, as functions see it.
fn sdk_address<'py>(py: Python<'py>, data: &[u8], target: &Target) -> PyResult<Bound<'py, PyAny>> {
    let classes = classes(py)?;
    let text = |span: Span| String::from_utf8_lossy(span.of(data)).into_owned();
    let (namespace, name) = (text(target.namespace), text(target.name));
    let address = classes.object(py, &classes.sdk_address)?;
    let fields = address.getattr(pyo3::intern!(py, "__dict__"))?;
    let fields = fields.cast::<PyDict>()?;
    let typename = format!("{namespace}/{name}");
    fields.set_item(pyo3::intern!(py, "namespace"), namespace)?;
    fields.set_item(pyo3::intern!(py, "name"), name)?;
    fields.set_item(pyo3::intern!(py, "id"), text(target.id))?;
    fields.set_item(pyo3::intern!(py, "typename"), typename)?;
    Ok(address)
}

/// The list in a slot, made when it is first asked for.
fn list_in<'py>(py: Python<'py>, slot: &mut Option<Py<PyList>>) -> Bound<'py, PyList> {
    slot.get_or_insert_with(|| PyList::empty(py).unbind())
        .bind(py)
        .clone()
}

#[pymethods]
impl Context {
    /// The address of the running function.
    #[getter]
    fn address<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        if let Some(address) = &self.state.open(py).address {
            return Ok(address.bind(py).clone());
        }
        let address = sdk_address(py, self.body.as_bytes(py), &self.request.target)?;
        self.state.open(py).address = Some(address.clone().unbind());
        Ok(address)
    }

    /// The values of this address, as attributes.
    #[getter]
    fn storage<'py>(&self, py: Python<'py>) -> Bound<'py, Storage> {
        self.storage.bind(py).clone()
    }

    /// Who sent the message; None if it came from an ingress.
    #[getter]
    fn caller<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let position = self.state.open(py).position;
        let data = self.body.as_bytes(py);
        match wire::address(data, self.request.invocations[position].caller) {
            Some(caller) if caller.is_known() => sdk_address(py, data, &caller).map(Some),
            _ => Ok(None),
        }
    }

    /// The batch, in the pieces that the reference splits a request into.
    #[getter]
    fn batch<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        if let Some(batch) = &self.state.open(py).batch {
            return Ok(batch.bind(py).clone());
        }
        let data = self.body.as_bytes(py);
        let piece = |span: Span| PyBytes::new(py, span.of(data));
        let request = &self.request;
        let state = request.state.iter().map(|stored| piece(stored.whole));
        let invocations = request.invocations.iter().map(|each| piece(each.whole));
        let arguments = (
            piece(request.target_field),
            self.typename.bind(py),
            self.target_id.bind(py),
            PyList::new(py, state.collect::<Vec<_>>())?,
            PyList::new(py, invocations.collect::<Vec<_>>())?,
        );
        let batch = classes(py)?.batch.bind(py).call1(arguments)?;
        self.state.open(py).batch = Some(batch.clone().unbind());
        Ok(batch)
    }

    /// The message that is being handled, from zero.
    #[getter]
    fn position(&self, py: Python<'_>) -> usize {
        self.state.open(py).position
    }

    /// Whether the batch is over, so that effects are refused.
    #[getter]
    fn has_ended(&self, py: Python<'_>) -> bool {
        self.state.open(py).has_ended
    }

    /// Whether the function has acted on the outside world.
    #[getter]
    fn has_acted(&self, py: Python<'_>) -> bool {
        self.state.open(py).has_acted
    }

    #[setter]
    fn set_has_acted(slf: &Bound<'_, Self>, has_acted: bool) {
        slf.get().state.open(slf.py()).has_acted = has_acted;
    }

    #[getter]
    fn messages<'py>(&self, py: Python<'py>) -> Bound<'py, PyList> {
        list_in(py, &mut self.state.open(py).messages)
    }

    #[getter]
    fn delayed<'py>(&self, py: Python<'py>) -> Bound<'py, PyList> {
        list_in(py, &mut self.state.open(py).delayed)
    }

    #[getter]
    fn egress<'py>(&self, py: Python<'py>) -> Bound<'py, PyList> {
        list_in(py, &mut self.state.open(py).egress)
    }

    fn _check_running(slf: &Bound<'_, Self>, effect: &str) -> PyResult<()> {
        let py = slf.py();
        if slf.get().has_ended(py) {
            let address = slf.get().address(py)?;
            hook(py, "refuse_effect")?.call1((effect, address))?;
        }
        Ok(())
    }

    /// Send a message to a function.
    fn send(slf: &Bound<'_, Self>, message: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = slf.py();
        if message.is_exact_instance_of::<MessageCarrier>() {
            if let Some(messages) = slf.get().list(py, |state| &mut state.messages) {
                return messages.append(message);
            }
        }
        hook(py, "send")?.call1((slf, message)).map(drop)
    }

    /// Send a message to a function once a delay has passed.
    #[pyo3(signature = (duration, message, cancellation_token = None))]
    fn send_after(
        slf: &Bound<'_, Self>,
        duration: &Bound<'_, PyAny>,
        message: &Bound<'_, PyAny>,
        cancellation_token: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let py = slf.py();
        if let Some((delay, token)) = delay_and_token(duration, cancellation_token) {
            let delayed = slf.get().list(py, |state| &mut state.delayed);
            if let (true, Some(list)) = (message.is_exact_instance_of::<MessageCarrier>(), delayed) {
                let classes = classes(py)?;
                let fields = (delay, message, token).into_pyobject(py)?;
                return list.append(classes.record(&classes.send_after, fields)?);
            }
        }
        let arguments = (slf, duration, message, cancellation_token);
        hook(py, "send_after")?.call1(arguments).map(drop)
    }

    /// Forget the pending delayed message with this token, if there is one.
    fn cancel_delayed_message(
        slf: &Bound<'_, Self>,
        cancellation_token: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let py = slf.py();
        if let Ok(token) = cancellation_token.cast_exact::<PyString>() {
            let delayed = slf.get().list(py, |state| &mut state.delayed);
            let is_usual = token.to_str().is_ok_and(|text| !text.is_empty());
            if let (true, Some(list)) = (is_usual, delayed) {
                let classes = classes(py)?;
                let fields = (token,).into_pyobject(py)?;
                return list.append(classes.record(&classes.cancellation, fields)?);
            }
        }
        let arguments = (slf, cancellation_token);
        hook(py, "cancel_delayed_message")?.call1(arguments).map(drop)
    }

    /// Send a message to an egress.
    fn send_egress(slf: &Bound<'_, Self>, message: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = slf.py();
        if message.is_exact_instance_of::<crate::carrier::EgressCarrier>() {
            if let Some(egress) = slf.get().list(py, |state| &mut state.egress) {
                return egress.append(message);
            }
        }
        hook(py, "send_egress")?.call1((slf, message)).map(drop)
    }
}

impl Context {
    /// A list of effects; None once the batch is over.
    #[inline]
    fn list<'py>(
        &self,
        py: Python<'py>,
        of: impl Fn(&mut State) -> &mut Option<Py<PyList>>,
    ) -> Option<Bound<'py, PyList>> {
        let mut state = self.state.open(py);
        match state.has_ended {
            true => None,
            false => Some(list_in(py, of(&mut state))),
        }
    }
}

/// Whole milliseconds and the token, if both are usual.
fn delay_and_token<'py>(
    duration: &Bound<'py, PyAny>,
    token: Option<&Bound<'py, PyAny>>,
) -> Option<(i64, Bound<'py, PyString>)> {
    let duration = duration.cast_exact::<PyDelta>().ok()?;
    let days = i64::from(duration.get_days());
    if days < 0 {
        return None;
    }
    let seconds = days * 86_400 + i64::from(duration.get_seconds());
    let delay = seconds * 1000 + i64::from(duration.get_microseconds()) / 1000;
    let token = match token {
        None => PyString::intern(duration.py(), ""),
        Some(token) => token.cast_exact::<PyString>().ok()?.clone(),
    };
    token.to_str().ok()?;
    Some((delay, token))
}

// --- the turn ------------------------------------------------------------------------------------

/// One run of a batch. Awaiting it goes on with a function that waits for something.
#[pyclass(module = "statefun_core")]
pub struct Turn {
    plan: Arc<Plan>,
    context: Py<Context>,
    /// The coroutine that waits, with its message.
    waiting: Option<(Py<PyAny>, Py<MessageCarrier>)>,
    /// What it waits for, until the event loop has got it.
    yielded: Option<Py<PyAny>>,
    /// The message after the one that is being handled.
    next: usize,
}

/// What became of the messages so far.
enum Progress {
    Done,
    Waiting(Py<PyAny>),
}

impl Turn {
    /// Handle messages until all are done or one waits.
    fn advance(slf: &Bound<'_, Self>) -> PyResult<Progress> {
        let py = slf.py();
        let (plan, context, mut next) = {
            let turn = slf.borrow();
            (turn.plan.clone(), turn.context.bind(py).clone(), turn.next)
        };
        let (fun, here) = (plan.fun.bind(py), context.get());
        let mut spare: Option<Bound<'_, MessageCarrier>> = None;
        loop {
            let Some(spans) = here.request.invocations.get(next) else {
                return Ok(Progress::Done);
            };
            let held = Held::Incoming(here.body.clone_ref(py), *spans);
            here.state.open(py).position = next;
            let message = match spare.take() {
                Some(message) => {
                    refill(&message, here, held);
                    message
                }
                None => new_message(py, here.target(py), held)?,
            };
            next += 1;
            let outcome = fun.call1((&context, &message))?;
            let coroutine = if plan.is_async && !is_coroutine(&outcome) {
                hook(py, "awaiting")?.call1((outcome,))?
            } else if is_coroutine(&outcome) {
                outcome
            } else if outcome.is_none() {
                spare = let_go(message);
                continue;
            } else {
                finishing(&plan, outcome)?
            };
            match step(&plan, coroutine, None)? {
                Step::Done => spare = let_go(message),
                Step::Waiting(coroutine, yielded) => {
                    let mut turn = slf.borrow_mut();
                    turn.next = next;
                    turn.waiting = Some((coroutine.unbind(), message.unbind()));
                    return Ok(Progress::Waiting(yielded.unbind()));
                }
            }
        }
    }

    /// Go on after the waiting coroutine has returned. The end of the batch is a StopIteration with
    /// the reply, so one that a function raised becomes another error.
    fn go_on<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        match Turn::advance(slf) {
            Ok(Progress::Waiting(yielded)) => Ok(yielded.into_bound(py)),
            Ok(Progress::Done) => Err(PyStopIteration::new_err((Turn::end(slf)?.unbind(),))),
            Err(error) if error.is_instance_of::<PyStopIteration>(py) => {
                let context = slf.borrow().context.clone_ref(py);
                hook(py, "blame")?.call1((error.into_value(py), context))?;
                Err(PyRuntimeError::new_err("the function raised StopIteration"))
            }
            Err(error) => Err(error),
        }
    }

    /// What a step of the waiting coroutine leads to.
    fn after<'py>(
        slf: &Bound<'py, Self>,
        message: Py<MessageCarrier>,
        step: Step<'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        match step {
            Step::Waiting(coroutine, yielded) => {
                slf.borrow_mut().waiting = Some((coroutine.unbind(), message));
                Ok(yielded)
            }
            Step::Done => {
                let_go(message.into_bound(slf.py()));
                Turn::go_on(slf)
            }
        }
    }

    /// Let the waiting coroutine go on with a value.
    fn resume<'py>(
        slf: &Bound<'py, Self>,
        value: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let plan = slf.borrow().plan.clone();
        let (coroutine, message) = Turn::take_waiting(slf)?;
        let step = step(&plan, coroutine.into_bound(slf.py()), value)?;
        Turn::after(slf, message, step)
    }

    fn take_waiting(slf: &Bound<'_, Self>) -> PyResult<(Py<PyAny>, Py<MessageCarrier>)> {
        let waiting = slf.borrow_mut().waiting.take();
        waiting.ok_or_else(|| PyRuntimeError::new_err("the batch is not waiting"))
    }

    /// The reply, once all messages are handled.
    fn end<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyBytes>> {
        let py = slf.py();
        close(slf)?;
        let context = slf.borrow().context.clone_ref(py);
        let storage = context.get().storage.get();
        let (messages, delayed, egress) = {
            let state = context.get().state.open(py);
            let of = |list: &Option<Py<PyList>>| list.as_ref().map(|list| list.bind(py).clone());
            (of(&state.messages), of(&state.delayed), of(&state.egress))
        };
        let mut out = Vec::with_capacity(256);
        let (messages, delayed, egress) = (messages.as_ref(), delayed.as_ref(), egress.as_ref());
        if put_effects(py, messages, delayed, egress, &mut out).is_some() {
            storage.put_mutations(py, &mut out)?;
            return around(py, &out);
        }
        let mut mutations = Vec::new();
        storage.put_mutations(py, &mut mutations)?;
        let mutations = PyBytes::new(py, &mutations);
        let reply = hook(py, "write_reply")?.call1((messages, delayed, egress, mutations))?;
        Ok(reply.cast_into::<PyBytes>()?)
    }
}

/// The batch is over. Whoever still has the context or the storage can only read.
fn close(slf: &Bound<'_, Turn>) -> PyResult<()> {
    let py = slf.py();
    let context = slf.borrow().context.clone_ref(py).into_bound(py);
    let here = context.get();
    let storage = here.storage.bind(py);
    let is_kept = references(&context) > 2 || references(storage) > 1;
    if is_kept || cfg!(Py_GIL_DISABLED) {
        storage.get().end(py, here.address(py)?.unbind());
        storage.get().detach(py);
    }
    here.state.open(py).has_ended = true;
    Ok(())
}

/// A message that nobody kept may serve again; one that was kept lets go of the request.
fn let_go(message: Bound<'_, MessageCarrier>) -> Option<Bound<'_, MessageCarrier>> {
    if references(&message) == 1 && !cfg!(Py_GIL_DISABLED) {
        return Some(message);
    }
    let py = message.py();
    message.as_super().get().detach(py);
    None
}

impl Context {
    /// Whom the messages of the batch are for.
    fn target(&self, py: Python<'_>) -> carrier::Target {
        carrier::Target {
            typename: Some(self.typename.clone_ref(py).into_any()),
            id: Some(self.target_id.clone_ref(py).into_any()),
            prefix: None,
        }
    }
}

/// Make a message that nobody kept the next one of its batch.
fn refill(message: &Bound<'_, MessageCarrier>, context: &Context, held: Held) {
    let py = message.py();
    let is_same = |now: &Option<Py<PyAny>>, known: &Py<PyString>| {
        now.as_ref().is_some_and(|now| now.is(known))
    };
    message.as_super().get().hold(py, held);
    let cell = &message.get().target;
    let is_untouched = {
        let target = cell.open(py);
        is_same(&target.typename, &context.typename) && is_same(&target.id, &context.target_id)
    };
    if !is_untouched {
        let before = std::mem::replace(&mut *cell.open(py), context.target(py));
        drop(before);
    }
}

/// What a step of a coroutine leads to.
enum Step<'py> {
    Done,
    Waiting(Bound<'py, PyAny>, Bound<'py, PyAny>),
}

/// Let a coroutine go on; what it returns has to be finished, too.
#[inline]
fn step<'py>(
    plan: &Plan,
    coroutine: Bound<'py, PyAny>,
    value: Option<&Bound<'py, PyAny>>,
) -> PyResult<Step<'py>> {
    match send(&coroutine, value)? {
        Sent::Yielded(yielded) => Ok(Step::Waiting(coroutine, yielded)),
        Sent::Returned(returned) if returned.is_none() => Ok(Step::Done),
        Sent::Returned(returned) => after_return(plan, returned),
    }
}

/// What the result of a function leads to.
fn after_return<'py>(plan: &Plan, returned: Bound<'py, PyAny>) -> PyResult<Step<'py>> {
    match returned.is_none() {
        true => Ok(Step::Done),
        false => step(plan, finishing(plan, returned)?, None),
    }
}

/// The coroutine that finishes the result of a function.
fn finishing<'py>(plan: &Plan, result: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    hook(result.py(), "finish")?.call1((&plan.typename, result))
}

#[pymethods]
impl Turn {
    /// Handle the messages: the reply, or None if a function waits for something; then await this.
    fn run<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        match Turn::advance(slf)? {
            Progress::Done => Turn::end(slf).map(Some),
            Progress::Waiting(yielded) => {
                slf.borrow_mut().yielded = Some(yielded);
                Ok(None)
            }
        }
    }

    /// The context of the batch.
    #[getter]
    fn context<'py>(&self, py: Python<'py>) -> Bound<'py, Context> {
        self.context.bind(py).clone()
    }

    /// End the batch after a failure: no effect of it survives. True if it had ended before.
    fn fail(slf: &Bound<'_, Self>) -> PyResult<bool> {
        let had_ended = slf.borrow().context.get().has_ended(slf.py());
        close(slf)?;
        Ok(had_ended)
    }

    fn __await__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __iter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __next__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        if let Some(yielded) = slf.borrow_mut().yielded.take() {
            return Ok(yielded.into_bound(slf.py()));
        }
        Turn::resume(slf, None)
    }

    fn send<'py>(slf: &Bound<'py, Self>, value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        if value.is_none() {
            return Turn::__next__(slf);
        }
        Turn::resume(slf, Some(value))
    }

    #[pyo3(signature = (*exception))]
    fn throw<'py>(
        slf: &Bound<'py, Self>,
        exception: &Bound<'py, PyTuple>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let forgotten = slf.borrow_mut().yielded.take();
        drop(forgotten);
        let plan = slf.borrow().plan.clone();
        let (coroutine, message) = Turn::take_waiting(slf)?;
        let coroutine = coroutine.into_bound(py);
        let step = match coroutine.call_method1(pyo3::intern!(py, "throw"), exception) {
            Ok(yielded) => Step::Waiting(coroutine, yielded),
            Err(error) if error.is_instance_of::<PyStopIteration>(py) => {
                let returned = error.value(py).getattr(pyo3::intern!(py, "value"))?;
                after_return(&plan, returned)?
            }
            Err(error) => return Err(error),
        };
        Turn::after(slf, message, step)
    }

    fn close(slf: &Bound<'_, Self>) -> PyResult<()> {
        let py = slf.py();
        let waiting = slf.borrow_mut().waiting.take();
        match waiting {
            Some((coroutine, _)) => {
                coroutine.bind(py).call_method0(pyo3::intern!(py, "close")).map(drop)
            }
            None => Ok(()),
        }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        if let Some((coroutine, _)) = &self.waiting {
            visit.call(coroutine)?;
        }
        visit.call(&self.yielded)
    }

    fn __clear__(&mut self) {
        self.waiting = None;
        self.yielded = None;
    }
}

// --- the runner ----------------------------------------------------------------------------------

/// Begins the turns of one handler.
#[pyclass(module = "statefun_core")]
pub struct Runner {
    functions: Option<Py<PyDict>>,
    plans: Mutex<HashMap<Box<[u8]>, Arc<Plan>>>,
}

impl Runner {
    fn plan(&self, py: Python<'_>, data: &[u8], request: &Request) -> PyResult<Option<Arc<Plan>>> {
        let key = request.typename_fields.of(data);
        let known = self.plans.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned();
        if known.is_some() {
            return Ok(known);
        }
        let text = |span: Span| String::from_utf8_lossy(span.of(data)).into_owned();
        let (namespace, name) = (text(request.target.namespace), text(request.target.name));
        let typename = PyString::new(py, &format!("{namespace}/{name}"));
        let functions = self.functions.as_ref().map(|functions| functions.bind(py));
        let Some(function) = functions.map(|known| known.get_item(&typename)).transpose()? else {
            return Ok(None);
        };
        let Some(function) = function else {
            return Ok(None);
        };
        if function.getattr("is_blocking")?.is_truthy()? {
            return Ok(None);
        }
        let layout = function.getattr("storage_spec")?.getattr("native")?;
        let plan = Arc::new(Plan {
            fun: function.getattr("fun")?.unbind(),
            is_async: function.getattr("is_async")?.is_truthy()?,
            typename: typename.unbind(),
            layout: layout.cast_into::<Layout>()?.unbind(),
        });
        let mut plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        plans.insert(key.into(), plan.clone());
        Ok(Some(plan))
    }
}

#[pymethods]
impl Runner {
    #[new]
    fn new(functions: Py<PyDict>) -> Self {
        Runner {
            functions: Some(functions),
            plans: Mutex::new(HashMap::new()),
        }
    }

    /// The turn of a request; None for one that the reference has to look at.
    fn begin<'py>(
        slf: &Bound<'py, Self>,
        body: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, Turn>>> {
        let py = slf.py();
        let Ok(body) = body.cast_exact::<PyBytes>() else {
            return Ok(None);
        };
        let data = body.as_bytes();
        let Some(request) = wire::split(data) else {
            return Ok(None);
        };
        let Some(plan) = slf.borrow().plan(py, data, &request)? else {
            return Ok(None);
        };
        let Some(storage) = Storage::resolve(&plan.layout, body, &request.state) else {
            return Ok(None);
        };
        let Ok(id) = std::str::from_utf8(request.target.id.of(data)) else {
            return Ok(None);
        };
        let context = Context {
            body: body.clone().unbind(),
            typename: plan.typename.clone_ref(py),
            target_id: PyString::new(py, id).unbind(),
            storage: Py::new(py, storage)?,
            state: Guarded::new(State::default()),
            request,
        };
        let turn = Turn {
            plan,
            context: Py::new(py, context)?,
            waiting: None,
            yielded: None,
            next: 0,
        };
        Bound::new(py, turn).map(Some)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.functions)?;
        if let Ok(plans) = self.plans.try_lock() {
            for plan in plans.values() {
                visit.call(&plan.fun)?;
                visit.call(&plan.layout)?;
            }
        }
        Ok(())
    }

    fn __clear__(&mut self) {
        self.functions = None;
        let plans = self.plans.get_mut().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::take(plans);
        drop(before);
    }
}
