#include <mailroom/transports/zmq/context.hpp>
#include <mailroom/transports/zmq/dialler.hpp>
#include <mailroom/transports/zmq/router.hpp>
#include <mailroom/transports/zmq/zmq_transport.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <mutex>
#include <system_error>
#include <utility>

namespace mailroom::transports {
namespace {

class zmq_port final : public rpc::transport::port {
 public:
  explicit zmq_port(std::shared_ptr<zmq::router> behind) : router_(std::move(behind)) {}
  ~zmq_port() override { router_->shut(); }

  const std::string& address() const noexcept override { return router_->address(); }

 private:
  std::shared_ptr<zmq::router> router_;
};

error out_of(const std::string& address, const std::system_error& failed) {
  return error(errc::io, address + ": " + failed.what());
}

// Start-up may wait for a name; libzmq binds to numbers only.
result<zmq::address> with_numeric_host(zmq::address where) {
  if (!where.is_tcp() || where.is_numeric()) {
    return where;
  }
  boost::asio::io_context io;
  boost::asio::ip::tcp::resolver names(io);
  boost::system::error_code why;
  const auto found = names.resolve(where.host, where.port, why);
  if (why || found.empty()) {
    return error(errc::io, where.text + ": " + why.message());
  }
  where.host = found.begin()->endpoint().address().to_string();
  return where;
}

}  // namespace

class zmq_transport::impl {
 public:
  impl(limits bounds, platform& host) : bounds_(bounds), host_(host) {}
  ~impl() {
    const time_point until = host_.now() + bounds_.linger;
    for (const auto& one : dialled_->all()) {
      one->finish(until);
    }
    for (const auto& one : closing_->all()) {
      one->finish(until);
    }
  }

  /// A port that has closed has its address until its last words have left. Waits for that.
  void free_address(const zmq::address& wanted) {
    for (const auto& one : closing_->all()) {
      if (one->address() == wanted.text) {
        one->finish(host_.now() + bounds_.linger);
      }
    }
  }

  result<std::shared_ptr<zmq::context>> context() {
    const std::lock_guard held(mutex_);
    if (!context_) {
      auto opened = zmq::context::open(host_, bounds_);
      if (!opened) {
        return opened.error();
      }
      context_ = *std::move(opened);
    }
    return context_;
  }

  std::shared_ptr<zmq::context> context_if_open() const {
    const std::lock_guard held(mutex_);
    return context_;
  }

  const std::shared_ptr<zmq::keeper<zmq::router>>& closing() const noexcept { return closing_; }
  const std::shared_ptr<zmq::keeper<zmq::dialler>>& dialled() const noexcept { return dialled_; }

 private:
  const limits bounds_;
  platform& host_;
  mutable std::mutex mutex_;
  std::shared_ptr<zmq::context> context_;  // Guarded by mutex_.
  const std::shared_ptr<zmq::keeper<zmq::dialler>> dialled_ =
      std::make_shared<zmq::keeper<zmq::dialler>>();
  const std::shared_ptr<zmq::keeper<zmq::router>> closing_ =
      std::make_shared<zmq::keeper<zmq::router>>();
};

zmq_transport::zmq_transport() : zmq_transport(limits{}) {}
zmq_transport::zmq_transport(limits bounds, platform& host)
    : impl_(std::make_unique<impl>(bounds, host)) {}
zmq_transport::~zmq_transport() = default;

bool zmq_transport::handles(std::string_view scheme) const noexcept {
  return scheme == "tcp" || scheme == "ipc";
}

result<std::unique_ptr<rpc::transport::port>> zmq_transport::listen(executors::event_loop& on,
                                                                    const std::string& address,
                                                                    rpc::acceptor& who) {
  auto read = zmq::address::parse(address);
  if (!read) {
    return read.error();
  }
  auto where = with_numeric_host(*std::move(read));
  if (!where) {
    return where.error();
  }
  impl_->free_address(*where);
  // libzmq takes an ipc path from whoever listens on it, and from any other file.
  if (!where->is_tcp() && where->path != "*") {
    if (const auto free = zmq::check_free(where->path); !free) {
      return error(errc::io, address + ": " + std::string(free.error().message()));
    }
  }
  const auto in = impl_->context();
  if (!in) {
    return in.error();
  }
  if (where->path == "*") {
    // libzmq would make a file in the working directory. A name without a file leaves nothing
    // behind.
    where->path = "@mailroom-" + (*in)->fresh_routing_id();
    where->text = "ipc://" + where->path;
  }
  if (!zmq::descriptors_left(zmq::descriptors_of_socket)) {
    return error(errc::io, address + ": no file descriptors left (see ulimit -n)");
  }
  try {
    auto opened = std::make_shared<zmq::router>(*in, on, who, impl_->closing());
    if (const auto bound = opened->listen(*where); !bound) {
      return bound.error();
    }
    return std::unique_ptr<port>(std::make_unique<zmq_port>(std::move(opened)));
  } catch (const std::system_error& failed) {
    return out_of(address, failed);
  }
}

result<rpc::link*> zmq_transport::dial(executors::event_loop& on,
                                       const std::string& address,
                                       rpc::link_observer& who) {
  auto where = zmq::address::parse(address);
  if (!where) {
    return where.error();
  }
  if (where->port == "0" || where->host == "*" || where->path == "*") {
    return error(errc::invalid_value, address + ": an address to listen on, not to dial");
  }
  const auto in = impl_->context();
  if (!in) {
    return in.error();
  }
  const auto dialled =
      std::make_shared<zmq::dialler>(*in, on, *std::move(where), who, impl_->dialled());
  impl_->dialled()->add(dialled);
  dialled->start();
  return static_cast<rpc::link*>(dialled.get());
}

zmq_transport::statistics zmq_transport::stats() const noexcept {
  const auto in = impl_->context_if_open();
  if (!in) {
    return {};
  }
  return {in->counts().handshakes_failed, in->counts().malformed, in->counts().refused};
}

}  // namespace mailroom::transports
