#include <mailroom/transports/local/end.hpp>
#include <mailroom/transports/local/local_transport.hpp>

#include <atomic>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

namespace mailroom::transports {
namespace {

using local::connection;
using local::end;
using local::ownership;

constexpr std::string_view prefix = "local://";

result<std::string> name_of(const std::string& address) {
  if (!std::string_view(address).starts_with(prefix) || address.size() == prefix.size()) {
    return error(errc::invalid_value, address + ": write local://NAME");
  }
  return address.substr(prefix.size());
}

/// Where diallers leave connections for a port. It outlives the port, which takes itself out of it.
class doorway {
 public:
  doorway(executors::event_loop& on, executors::event_loop::source& who) : port_{&on, &who} {}

  /// Returns false when the port has closed.
  bool leave(std::shared_ptr<connection> one) {
    const std::lock_guard held(mutex_);
    if (port_.source == nullptr) {
      return false;
    }
    waiting_.push_back(std::move(one));
    port_.tell();
    return true;
  }

  std::vector<std::shared_ptr<connection>> collect() {
    const std::lock_guard held(mutex_);
    return std::exchange(waiting_, {});
  }

  void close() {
    const std::lock_guard held(mutex_);
    port_ = {};
  }

 private:
  std::mutex mutex_;
  local::waiter port_;                                // Guarded by mutex_.
  std::vector<std::shared_ptr<connection>> waiting_;  // Guarded by mutex_.
};

/// The names of this process.
/// @threadsafe
class registry {
 public:
  static registry& of_process() {
    static registry instance;
    return instance;
  }

  /// Returns the name under which `where` is found now: `name`, or one that is free for "*"; empty
  /// if in use.
  std::string add(const std::string& name, std::shared_ptr<doorway> where) {
    const std::lock_guard held(mutex_);
    if (name != "*") {
      return doors_.try_emplace(name, std::move(where)).second ? name : std::string();
    }
    std::string chosen;
    do {
      chosen = "unnamed-" + std::to_string(++last_unnamed_);
    } while (doors_.count(chosen) != 0);
    doors_.emplace(chosen, std::move(where));
    return chosen;
  }

  void remove(const std::string& name) {
    const std::lock_guard held(mutex_);
    doors_.erase(name);
  }

  std::shared_ptr<doorway> find(const std::string& name) const {
    const std::lock_guard held(mutex_);
    const auto found = doors_.find(name);
    return found == doors_.end() ? nullptr : found->second;
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<doorway>> doors_;  // Guarded by mutex_.
  unsigned long last_unnamed_ = 0;                         // Guarded by mutex_.
};

class local_port final : public rpc::transport::port, public executors::event_loop::source {
 public:
  local_port(executors::event_loop& on, rpc::acceptor& who, std::size_t max_frame)
      : source(executors::event_loop::phase::input),
        loop_(on),
        acceptor_(who),
        door_(std::make_shared<doorway>(on, *this)),
        accepted_(std::make_shared<ownership>()),
        max_frame_(max_frame) {}

  ~local_port() override {
    if (!name_.empty()) {
      registry::of_process().remove(name_);
    }
    door_->close();
    loop_.forget(*this);
    for (const auto& one : door_->collect()) {
      one->to_acceptor.close_reader();
      one->to_dialler.close_writer(false);
    }
    accepted_->close_all();
  }

  bool open(const std::string& name) {
    name_ = registry::of_process().add(name, door_);
    address_ = std::string(prefix) + name_;
    return !name_.empty();
  }

  const std::string& address() const noexcept override { return address_; }

  void on_ready() noexcept override {
    for (auto& one : door_->collect()) {
      std::string peer = one->dialler;
      const auto opened = std::make_shared<end>(
          loop_, std::move(one), std::move(peer), acceptor_, accepted_, max_frame_);
      accepted_->add(opened);
      opened->attach();
    }
  }

 private:
  executors::event_loop& loop_;
  rpc::acceptor& acceptor_;
  std::shared_ptr<doorway> door_;
  std::shared_ptr<ownership> accepted_;
  std::size_t max_frame_;
  std::string name_;
  std::string address_;
};

}  // namespace

class local_transport::impl {
 public:
  explicit impl(limits bounds) : bounds_(bounds) {}

  limits bounds_;
  std::shared_ptr<ownership> dialled_ = std::make_shared<ownership>();
  std::atomic<unsigned long> dials_{0};
};

local_transport::local_transport() : local_transport(limits{}) {}

local_transport::local_transport(limits bounds) : impl_(std::make_unique<impl>(bounds)) {}

local_transport::~local_transport() {
  impl_->dialled_->close_all();
}

bool local_transport::handles(std::string_view scheme) const noexcept {
  return scheme == "local";
}

result<std::unique_ptr<rpc::transport::port>> local_transport::listen(executors::event_loop& on,
                                                                      const std::string& address,
                                                                      rpc::acceptor& who) {
  const auto name = name_of(address);
  if (!name) {
    return name.error();
  }
  auto opened = std::make_unique<local_port>(on, who, impl_->bounds_.max_frame);
  if (!opened->open(*name)) {
    return error(errc::io, address + ": the name is in use");
  }
  return std::unique_ptr<port>(std::move(opened));
}

result<rpc::link*> local_transport::dial(executors::event_loop& on,
                                         const std::string& address,
                                         rpc::link_observer& who) {
  const auto name = name_of(address);
  if (!name) {
    return name.error();
  }
  std::shared_ptr<connection> through;
  if (const auto door = registry::of_process().find(*name)) {
    through = std::make_shared<connection>();
    through->dialler = address + "#" + std::to_string(++impl_->dials_);
    if (!door->leave(through)) {
      through.reset();
    }
  }
  const auto dialled = std::make_shared<end>(
      on, std::move(through), address, who, impl_->dialled_, impl_->bounds_.max_frame);
  impl_->dialled_->add(dialled);
  dialled->attach();
  return static_cast<rpc::link*>(dialled.get());
}

}  // namespace mailroom::transports
