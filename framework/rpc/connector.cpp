#include <mailroom/framework/base/counting.hpp>
#include <mailroom/framework/rpc/connector.hpp>
#include <mailroom/framework/rpc/outbound_session.hpp>

#include <algorithm>
#include <utility>

namespace mailroom::rpc {
namespace {

constexpr std::size_t max_names = wire::max_routes;  // So that every link can number all of them.
// Deadlines are looked at no oftener than this; a caller hears that much late at worst.
constexpr duration look_every = std::chrono::milliseconds(5);

std::size_t bytes_of(const pending_call& call) noexcept {
  return sizeof call + call.arguments.size();
}

}  // namespace

connector::connector(executors::event_loop& loop, platform& host, const limits& bounds)
    : source(executors::event_loop::phase::input), loop_(loop), host_(host), limits_(bounds) {
  host_.random(std::as_writable_bytes(std::span(&salt_, 1)));
  host_.random(std::as_writable_bytes(std::span(&key_salt_, 1)));
  dice_ = dice(salt_);
}

connector::~connector() {
  loop_.cancel(*this);
  loop_.forget(*this);
  for (pending_call* each = submitted_.load(); each != nullptr;) {
    const auto dropped = ref<pending_call>::adopt(std::exchange(each, each->next));
  }
}

time_point connector::now() const noexcept {
  return loop_.on_loop_thread() ? loop_.now() : host_.now();
}

result<const method_name*> connector::name(const target& at, std::string_view method) {
  std::string key;
  for (const std::string_view part : {std::string_view(at.exchange),
                                      std::string_view(at.topic),
                                      std::string_view(at.name_space),
                                      std::string_view(at.version),
                                      method}) {
    key.append(std::to_string(part.size())).append(1, ':').append(part);
  }
  const std::lock_guard lock(names_mutex_);
  if (const auto known = name_index_.find(key); known != name_index_.end()) {
    return known->second;
  }
  if (names_.size() == max_names) {
    return error(errc::busy,
                 "this node has called 65536 different methods, which is all it can number");
  }
  wire::route route{static_cast<std::uint32_t>(names_.size()),
                    at.exchange,
                    at.topic,
                    at.name_space,
                    at.version,
                    std::string(method)};
  if (names_bytes_ + wire::size_of(route) > wire::max_route_bytes) {
    return error(errc::busy, "the methods that this node has called have names of 16 MiB");
  }
  names_bytes_ += wire::size_of(route);
  const auto of_topic = topic_index_.find({at.exchange, at.topic});
  topic_servers* servers = of_topic != topic_index_.end() ? of_topic->second : nullptr;
  if (servers == nullptr) {
    servers = &topics_.emplace_back();
    servers->exchange = at.exchange;
    servers->topic = at.topic;
    servers->home = this;
    // Views of what the list keeps: a pair of strings would be gone with this statement.
    topic_index_.emplace(
        std::pair<std::string_view, std::string_view>(servers->exchange, servers->topic), servers);
    if (topic_watch_) {
      servers->awaited.store(true, std::memory_order_relaxed);
      topic_watch_(servers->exchange, servers->topic);
    }
  }
  auto& made = names_.emplace_back();
  made.names = std::move(route);
  made.servers = servers;
  name_index_.emplace(std::move(key), &made);
  return &made;
}

// ---------------------------------------------------------------- calls on the loop's thread

wire::batch* connector::begin(pending_call& call) {
  if (call.until.passed(loop_.now())) {
    end_expired_unsent(call, false);
    return nullptr;
  }
  outbound_link* to = find_server(call);
  if (to == nullptr) {
    return nullptr;
  }
  writing_to_ = to;
  writing_id_ = keep(call, *to);
  return &to->begin(call, writing_id_);
}

void connector::finish(pending_call& call) {
  outbound_link& to = *std::exchange(writing_to_, nullptr);
  // A node that is not reached at the moment may be when this one refuses.
  const bool keep = may_go_again(call) || (call.retries != 0 && !unsettled_.empty());
  if (to.finish(call, keep)) {
    slots_[static_cast<std::uint32_t>(writing_id_)].written = to.written();
    count_one(counters_.sent);
    watch_deadline(call.until);
    return;
  }
  give_up(writing_id_);
  call.fail(error(errc::too_large,
                  "the arguments have " + std::to_string(to.body_size()) +
                      " bytes, over the limit of " + std::to_string(to.session().info().max_body)));
}

void connector::take_back() noexcept {
  std::exchange(writing_to_, nullptr)->drop();
  give_up(writing_id_);
}

std::uint64_t connector::keep(pending_call& call, outbound_link& to) {
  std::size_t index = 0;
  if (free_ != 0) {
    index = free_ - 1;
    free_ = slots_[index].next_free;
  } else {
    index = slots_.size();
    slots_.emplace_back();
  }
  slot& taken = slots_[index];
  taken.call = ref<pending_call>(&call);
  taken.to = &to;
  count_one(counters_.out);
  call.id = (std::uint64_t{taken.generation} << 32U) | index;
  if (call.keyed && call.key == 0) {
    call.key = ++last_key_;
  }
  return call.id;
}

ref<pending_call> connector::take(std::uint64_t id, const outbound_link& from) noexcept {
  const auto index = static_cast<std::uint32_t>(id);
  if (index >= slots_.size() || slots_[index].generation != id >> 32U || !slots_[index].call ||
      slots_[index].to != &from) {
    count_one(counters_.late);
    return {};
  }
  ref<pending_call> call = std::move(slots_[index].call);
  if (slots_[index].to->in_flight() > 0) {
    slots_[index].to->answered();
  }
  free_slot(index);
  count_one(counters_.answered);
  return call;
}

void connector::give_up(std::uint64_t id) noexcept {
  free_slot(static_cast<std::uint32_t>(id));
}

void connector::free_slot(std::size_t index) noexcept {
  slot& freed = slots_[index];
  freed.call = {};
  freed.to = nullptr;
  if (++freed.generation == 0) {
    freed.generation = 1;  // The id of a call is never 0, which says that it is none.
  }
  counters_.out.store(counters_.out.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed);
  freed.next_free = free_;
  free_ = static_cast<std::uint32_t>(index) + 1;
}

// ---------------------------------------------------------------- calls from other threads

void connector::submit(ref<pending_call> call) {
  if (loop_.on_loop_thread()) {
    route(std::move(call));
    return;
  }
  if (!hold(*call)) {
    call->fail(error(errc::busy, execution::not_run, "too many bytes wait for the I/O loop")
                   .with_retry_after(std::chrono::milliseconds(10)));
    return;
  }
  pending_call* mine = call.release();
  mine->next = submitted_.load(std::memory_order_relaxed);
  // In one order with `retired_`: either it is seen here, or what was put there by `retire`.
  while (!submitted_.compare_exchange_weak(mine->next, mine)) {
  }
  loop_.notify(*this);
  if (retired_.load()) {
    fail_submitted();
  }
}

void connector::retire() noexcept {
  {
    const std::lock_guard lock(names_mutex_);
    topic_watch_ = nullptr;
  }
  retired_.store(true);
  fail_submitted();
}

void connector::fail_submitted() noexcept {
  for (pending_call* each = submitted_.exchange(nullptr); each != nullptr;) {
    const auto call = ref<pending_call>::adopt(std::exchange(each, each->next));
    let_go(*call);
    call->fail(error(errc::cancelled,
                     execution::not_run,
                     "the node of this client has stopped; one that is made after it was started "
                     "again may call"));
  }
}

// One that alone is over the bound may still wait, so that it can be sent at all.
bool connector::hold(const pending_call& call) noexcept {
  const std::size_t held = held_bytes_.load(std::memory_order_relaxed);
  if (held != 0 && held + bytes_of(call) > limits_.backlog) {
    counters_.busy.fetch_add(1, std::memory_order_relaxed);
    return false;
  }
  held_bytes_.fetch_add(bytes_of(call), std::memory_order_relaxed);
  return true;
}

void connector::let_go(const pending_call& call) noexcept {
  held_bytes_.fetch_sub(bytes_of(call), std::memory_order_relaxed);
}

result<void> connector::submit_cast(ref<pending_call> call) {
  if (call->arguments.size() > limits_.max_body) {
    return error(errc::too_large,
                 "the arguments have " + std::to_string(call->arguments.size()) +
                     " bytes, over the limit of " + std::to_string(limits_.max_body));
  }
  const async::flow* here = async::current_flow();
  const bool may_wait = !loop_.on_loop_thread() && (here == nullptr || here->on != nullptr);
  // A fanout goes to as many as there are.
  if (!may_wait && !loop_.on_loop_thread() && call->how == pending_call::kind::cast &&
      call->what.servers->count.load(std::memory_order_acquire) == 0 &&
      unsettled_count_.load(std::memory_order_acquire) == 0 &&
      !call->what.servers->awaited.load(std::memory_order_acquire)) {
    counters_.unroutable.fetch_add(1, std::memory_order_relaxed);
    return error(errc::no_server, "no server for topic '" + call->what.names.topic + "'");
  }
  submit(call);
  if (may_wait) {
    async::wait(*call);
  }
  if (call->done() && call->failure) {
    return *call->failure;
  }
  return {};
}

void connector::on_ready() noexcept {
  if (look_.exchange(false, std::memory_order_acq_rel)) {
    send_rested();
    route_those_that_may_choose();
    look_for_expired();
  }
  pending_call* newest = submitted_.exchange(nullptr, std::memory_order_acquire);
  pending_call* oldest = nullptr;
  while (newest != nullptr) {
    pending_call* next = newest->next;
    newest->next = oldest;
    oldest = newest;
    newest = next;
  }
  while (oldest != nullptr) {
    auto call = ref<pending_call>::adopt(oldest);
    oldest = oldest->next;
    let_go(*call);
    route(std::move(call));
  }
}

void connector::send(outbound_link& to, pending_call& call) {
  if (auto failed = write(to, call)) {
    end(call, *failed);
  } else if (call.how == pending_call::kind::cast) {
    call.complete();
  }
}

// Does not end the call: whoever waits for it would go on while others are still written to.
std::optional<error> connector::write(outbound_link& to, pending_call& call) {
  const std::uint64_t id = call.how == pending_call::kind::call ? keep(call, to) : 0;
  to.begin(call, id).bytes().append(call.arguments.bytes());
  if (!to.finish(call, false)) {
    if (id != 0) {
      give_up(id);
    }
    return error(errc::too_large,
                 "the arguments have " + std::to_string(to.body_size()) +
                     " bytes, over the limit of " + std::to_string(to.session().info().max_body));
  }
  count_one(counters_.sent);
  if (id != 0) {
    slots_[static_cast<std::uint32_t>(id)].written = to.written();
    watch_deadline(call.until);
  } else {
    count_one(counters_.told);
  }
  return std::nullopt;
}

// ---------------------------------------------------------------- deadlines

void connector::watch_deadline(deadline until) noexcept {
  if (until.at() < watched_) {
    watched_ = until.at();
    loop_.arm(*this, watched_);
  }
}

void connector::on_time() noexcept {
  look_.store(true, std::memory_order_release);
  loop_.notify(*this);
}

void connector::look_for_expired() {
  const time_point now = host_.now();
  time_point next = time_point::max();
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    slot& each = slots_[i];
    if (!each.call) {
      continue;
    }
    if (!each.call->until.passed(now)) {
      next = std::min(next, each.call->until.at());
      continue;
    }
    const ref<pending_call> call = std::move(each.call);
    if (each.to->in_flight() > 0) {
      each.to->answered();
    }
    note_failure(*each.to, false);
    free_slot(i);
    count_one(counters_.expired);
    call->fail(error(errc::expired,
                     "no answer to " + call->what.names.topic + "." + call->what.names.method +
                         " within its deadline"));
  }
  std::erase_if(waiting_, [&](const ref<pending_call>& call) {
    if (!call->until.passed(now)) {
      next = std::min(next, call->until.at());
      return false;
    }
    let_go(*call);
    end_expired_unsent(*call, true);
    return true;
  });
  if (!resting_.empty()) {
    next = std::min(next, resting_.begin()->first);
  }
  for (const auto& call : waiting_) {
    if (is_held(*call->what.servers)) {
      next = std::min(next, call->what.servers->choose_at);
    }
  }
  watched_ = next;
  if (next != time_point::max()) {
    watched_ = std::max(next, now + look_every);
    loop_.arm(*this, watched_);
  }
}

}  // namespace mailroom::rpc
