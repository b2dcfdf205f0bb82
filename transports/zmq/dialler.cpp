#include <mailroom/transports/zmq/dialler.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address.hpp>

#include <cassert>
#include <cerrno>
#include <system_error>
#include <utility>

namespace mailroom::transports::zmq {
namespace {

constexpr int reported_when_dialling =
    ZMQ_EVENT_CLOSED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED |
    ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
    ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;

}  // namespace

dialler::dialler(std::shared_ptr<context> in,
                 executors::event_loop& on,
                 address where,
                 rpc::link_observer& who,
                 std::weak_ptr<keeper<dialler>> owner)
    : source(executors::event_loop::phase::input),
      context_(std::move(in)),
      loop_(on),
      address_(std::move(where)),
      peer_(address_.text),
      observer_(&who),
      owner_(std::move(owner)),
      backlog_(backlog::make(on, *this)),
      alarm_(*this) {}

dialler::~dialler() {
  leave();
  backlog_->let_go();
  loop_.forget(*this);
}

void dialler::start() {
  patience_ = loop_.now() + context_->bounds().dial;
  loop_.arm(alarm_, patience_);
  if (!address_.is_tcp() || address_.is_numeric()) {
    connect(address_.host);
  } else {
    resolve();
  }
}

// libzmq would look the name up on its I/O thread and stop all other connections. Anew each time:
// it may lead elsewhere by now.
void dialler::resolve() {
  lookup_ = std::make_unique<name_lookup>(
      context_->host(),
      loop_,
      address_.host,
      address_.port,
      [this](const std::string& why, const std::vector<std::string>& found) {
        if (found.empty()) {
          fail(why);
          return;
        }
        others_.assign(found.begin() + 1, found.end());
        connect(found.front());
      });
}

void dialler::connect(const std::string& host) {
  state_ = state::connecting;
  if (address_.is_tcp()) {
    peer_ = address_.with_host(host).substr(std::string_view("tcp://").size());
  }
  if (!descriptors_left(descriptors_of_socket)) {
    fail("no file descriptors left (see ulimit -n)");
    return;
  }
  try {
    socket_ = std::make_unique<socket>(context_, ZMQ_DEALER);
    socket_->set_up_for_network();
    socket_->set(ZMQ_ROUTING_ID, context_->fresh_routing_id());
    socket_->set(ZMQ_IMMEDIATE, 1);
    socket_->set(ZMQ_RECONNECT_IVL, -1);
    socket_->set(ZMQ_IPV6, host.find(':') != std::string::npos ? 1 : 0);
    monitor_ = std::make_unique<monitor>(*socket_, reported_when_dialling);
    watch_ = std::make_unique<watch>(loop_, *socket_, *this);
    monitor_watch_ = std::make_unique<watch>(loop_, monitor_->reports(), *this);
  } catch (const std::system_error& failed) {
    fail(failed.code().message());
    return;
  }
  if (zmq_connect(socket_->handle(), address_.with_host(host).c_str()) != 0) {
    fail(zmq_strerror(errno));
    return;
  }
  loop_.ready(*this);  // Sees that there are no reports yet, and has itself told when there are.
}

void dialler::on_ready() noexcept {
  const auto self = shared_from_this();  // Any callback may close us.
  const bool more_time = loop_.now() < patience_;
  if (!failure_.empty()) {
    if (!more_time || !try_another()) {
      end(errc::unreachable, failure_);
    }
    return;
  }
  if (monitor_watch_ && !monitor_watch_->armed()) {
    read_monitor();
  }
  if (state_ == state::up || state_ == state::leaving) {
    if (!receive()) {
      return;
    }
    if (state_ == state::up && refused_ && backlog_->unsent() < most_unsent / 2) {
      refused_ = false;
      observer_->on_writable(*this);
    }
    if (state_ == state::leaving && !more_time) {
      end(errc::lost, {});
    }
  } else if (state_ != state::gone && !more_time) {
    end(errc::unreachable, "timed out");
  }
}

void dialler::read_monitor() {
  while (const auto seen = monitor_->next()) {
    switch (seen->what) {
      case ZMQ_EVENT_HANDSHAKE_SUCCEEDED: open(); break;
      case ZMQ_EVENT_DISCONNECTED:
        disconnected_ = true;
        if (state_ == state::connecting) {
          fail("closed the connection instead of greeting");
        }
        break;
      case ZMQ_EVENT_CLOSED:
        if (state_ == state::connecting) {
          diagnose();
        }
        break;
      default:
        ++context_->counts().handshakes_failed;
        fail("does not speak ZMTP (the handshake failed)");
        break;
    }
    if (!monitor_ || state_ == state::diagnosing || state_ == state::gone) {
      return;
    }
  }
  monitor_watch_->arm();
}

void dialler::open() {
  if (state_ != state::connecting) {
    return;
  }
  state_ = state::up;
  patience_ = time_point::max();
  loop_.cancel(alarm_);
  socket_->get(ZMQ_EVENTS);  // Lets the socket hear of its connection, so that it accepts messages.
  observer_->on_open(*this);
}

// Returns false when the link has gone.
bool dialler::receive() {
  std::size_t bytes = 0;
  for (std::size_t frames = 0; frames != frames_per_pass && bytes < bytes_per_pass; ++frames) {
    if (!body_) {
      body_ = std::make_unique<received>();
    }
    int got = 0;
    do {
      got = zmq_msg_recv(body_->raw(), socket_->handle(), ZMQ_DONTWAIT);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
      if (disconnected_) {
        end(errc::lost, "the connection was lost");
        return false;
      }
      watch_->arm();
      return true;
    }
    bytes += static_cast<std::size_t>(got);
    if (zmq_msg_more(body_->raw()) != 0) {
      ++context_->counts().malformed;
      end(errc::lost, "sent a message of several parts");
      return false;
    }
    if (got == 0) {
      end(errc::lost, "closed by the peer");
      return false;
    }
    if (state_ == state::up) {
      received* const kept = body_.release();
      observer_->on_frame(*this, wire::frame(kept->bytes(), kept));
    }
    if (state_ == state::gone) {
      return false;
    }
  }
  loop_.ready(*this);
  return true;
}

// libzmq reports that there is no connection, not why.
void dialler::diagnose() {
  if (!address_.is_tcp()) {
    fail(std::string(try_path(address_.path).message()));
    return;
  }
  if (const auto known = context_->reasons().recall(peer_, loop_.now())) {
    fail(*known);
    return;
  }
  state_ = state::diagnosing;
  using boost::asio::ip::tcp;
  const auto colon = peer_.rfind(':');
  std::string host = peer_.substr(0, colon);
  if (host.front() == '[') {
    host = host.substr(1, host.size() - 2);
  }
  boost::system::error_code unreadable;
  const auto where = boost::asio::ip::make_address(host, unreadable);
  if (unreadable) {
    fail("no connection");
    return;
  }
  probe_ = std::make_unique<tcp::socket>(loop_.io());
  probe_->async_connect(
      tcp::endpoint(where, static_cast<unsigned short>(std::stoul(address_.port))),
      [held = weak_from_this()](const boost::system::error_code& why) {
        const auto self = held.lock();
        if (self && self->state_ == state::diagnosing) {
          if (why) {
            self->context_->reasons().remember(self->peer_, why.message(), self->loop_.now());
          }
          self->fail(why ? why.message() : "no connection");
        }
      });
}

void dialler::fail(const std::string& why) {
  if (failure_.empty()) {
    failure_ = why.empty() ? "no connection" : why;
    loop_.ready(*this);
  }
}

bool dialler::try_another() {
  if (others_.empty()) {
    return false;
  }
  failure_.clear();
  disconnected_ = false;
  let_go_of_socket();
  const std::string next = std::move(others_.front());
  others_.pop_front();
  connect(next);
  return true;
}

void dialler::let_go_of_socket() {
  if (socket_) {
    socket_->set(ZMQ_LINGER, 0);
  }
  watch_.reset();
  monitor_watch_.reset();
  monitor_.reset();
  socket_.reset();
  probe_.reset();
}

void dialler::end(errc code, const std::string& why) {
  const auto self = shared_from_this();
  rpc::link_observer* const who = state_ == state::leaving ? nullptr : observer_;
  const error told(code, address_.text + ": " + why);
  if (socket_) {
    socket_->set(ZMQ_LINGER, 0);
  }
  abandon();
  if (who != nullptr) {
    who->on_closed(*this, told);
  }
}

void dialler::leave() {
  state_ = state::gone;
  loop_.cancel(alarm_);
  loop_.forget(*this);
  watch_.reset();
  monitor_watch_.reset();
  monitor_.reset();
  socket_.reset();
  lookup_.reset();
  probe_.reset();
}

void dialler::abandon() {
  const auto self = shared_from_this();
  if (state_ == state::gone) {
    return;
  }
  leave();
  if (const auto owner = owner_.lock()) {
    owner->remove(*this);
  }
}

void dialler::finish(time_point until) {
  const auto self = shared_from_this();
  close(true);
  while (state_ == state::leaving && !disconnected_ && context_->now() < until) {
    wait_for(*socket_, monitor_->reports(), until - context_->now());
    read_monitor();
    received ignored;
    int got = 0;
    do {
      got = zmq_msg_recv(ignored.raw(), socket_->handle(), ZMQ_DONTWAIT);
    } while (got > 0);
    if (got == 0) {
      break;  // The peer has closed as well: it reads no more, and waits for us.
    }
  }
  if (socket_) {
    socket_->set(ZMQ_LINGER, 0);
  }
  abandon();
}

bool dialler::send(wire::buffer& frame) {
  assert((state_ == state::up || state_ == state::gone) && !frame.empty());
  if (disconnected_ || state_ != state::up) {
    frame.clear();  // `on_closed` follows.
    return true;
  }
  if (!backlog_->has_room()) {
    refused_ = true;
    return false;
  }
  zmq_msg_t message;
  backlog_->wrap(frame, message);
  hand_over(message);
  return true;
}

bool dialler::hand_over(zmq_msg_t& message) {
  for (bool again = true;; again = false) {
    if (zmq_msg_send(&message, socket_->handle(), ZMQ_DONTWAIT) >= 0) {
      loop_.ready(*this);  // Sending may have eaten the edge that tells of received messages.
      return true;
    }
    if (errno == EINTR) {
      continue;
    }
    if (!again) {
      break;
    }
    socket_->get(ZMQ_EVENTS);  // It may not have heard of its connection yet.
  }
  zmq_msg_close(&message);  // No connection any more; the monitor reports it.
  return false;
}

void dialler::close(bool flush) {
  const auto self = shared_from_this();
  if (state_ == state::gone || state_ == state::leaving) {
    return;
  }
  zmq_msg_t goodbye;
  zmq_msg_init(&goodbye);
  if (flush && state_ == state::up && hand_over(goodbye)) {
    // The peer closes when it has read everything; closing first could cut off what is on its way.
    state_ = state::leaving;
    patience_ = loop_.now() + context_->bounds().linger;
    loop_.arm(alarm_, patience_);
    return;
  }
  zmq_msg_close(&goodbye);
  if (socket_) {
    socket_->set(ZMQ_LINGER, 0);
  }
  abandon();
}

}  // namespace mailroom::transports::zmq
