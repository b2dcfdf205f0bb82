// How a node finds others, and they it, through directories.

#include <mailroom/services/host/addresses.hpp>
#include <mailroom/services/host/node_impl.hpp>

#include <mailroom/framework/directory/embedded_source.hpp>
#include <mailroom/framework/directory/static_source.hpp>
#include <mailroom/framework/observability/log.hpp>

#include <algorithm>
#include <chrono>
#include <future>
#include <memory>
#include <utility>

namespace mailroom {
namespace {

// A directory that does not answer holds nobody up for longer; its lease ends by itself.
constexpr duration to_say_that_it_drains = std::chrono::milliseconds(100);

}  // namespace

void running_node::open_membership() {
  if (options_.directory.empty() && options_.static_servers.empty()) {
    return;
  }
  run_on(control_loop_, [this] {
    membership_ = std::make_unique<directory::membership>(
        control_loop_,
        host_,
        incarnation_,
        directory::membership::hooks{
            .found = [this](const directory::registration& server) { found(server); },
            .gone = [this](const std::string& address) { gone(address); },
            .awaited =
                [this](const directory::key& what, bool is) {
                  loop_of_calls().post(
                      [this, what, is] { connector_->set_awaited(what.exchange, what.topic, is); });
                },
            .without =
                [this](const std::string& why) {
                  loop_of_calls().post([this, why] { connector_->explain(why); });
                }});
    std::map<std::string, directory::registration> configured;
    for (const auto& each : options_.static_servers) {
      auto& at = configured[each.address];
      at.address = each.address;
      at.topics.push_back({each.exchange, each.topic});
    }
    std::vector<directory::registration> all;
    for (auto& [address, each] : configured) {
      std::sort(each.topics.begin(), each.topics.end());
      all.push_back(std::move(each));
    }
    if (!all.empty()) {
      membership_->add(
          std::make_unique<directory::static_source>(std::move(all), membership_->listener()));
    }
    for (const auto& each : options_.directory) {
      if (!directories_.contains(each)) {  // Named twice.
        add_directory(each);
      }
    }
  });
  run_on(loop_of_calls(), [this] {
    connector_->watch_topics([this](const std::string& exchange, const std::string& topic) {
      control_loop_.post([this, what = directory::key{exchange, topic}] {
        if (membership_) {
          membership_->call(what);
        }
      });
    });
  });
}

// Of the control plane only: nothing is called there.
void running_node::add_directory(const std::string& address) {
  auto& client = directories_[address];
  auto source = std::make_unique<directory::embedded_source>(
      control_loop_,
      host_,
      address,
      incarnation_,
      [&client](std::string verb,
                std::span<const std::byte> arguments,
                directory::embedded_source::answer tell) {
        client->admin(std::move(verb), arguments, std::move(tell));
      },
      membership_->listener());
  auto with = client_of(address);
  with.data_links = false;
  with.longest_pause = options_.heartbeat;  // Back within one period after it returns.
  with.changed = [to = source.get()](const error* why) {
    why != nullptr ? to->link_down(*why) : to->link_up();
  };
  client = std::make_unique<rpc::control_client>(
      control_loop_, host_, *transport_for(address), *connector_, std::move(with));
  membership_->add(std::move(source));
}

void running_node::join_directories() {
  const auto registered = std::make_shared<std::promise<void>>();
  run_on(control_loop_, [&] {
    for (const auto& [address, each] : directories_) {
      each->start();
    }
    if (!membership_ || address_.empty()) {
      registered->set_value();  // There is nothing to find.
      return;
    }
    membership_->publish(registration(), [registered] { registered->set_value(); });
  });
  registered->get_future().wait_until(later(clock::now(), options_.connect_within));
}

void running_node::leave_directories(bool only_drains) {
  const auto told = std::make_shared<std::promise<void>>();
  run_on(control_loop_, [&] {
    drains_ = true;
    if (!membership_) {
      told->set_value();
    } else if (!only_drains) {
      membership_->close({incarnation_, options_.name, address_, final_ledger(), counted_for()});
      for (const auto& [address, each] : directories_) {
        each->close();
      }
      membership_.reset();
      told->set_value();
    } else if (address_.empty()) {
      told->set_value();
    } else {
      membership_->publish(registration(), [told] { told->set_value(); });
    }
  });
  told->get_future().wait_for(to_say_that_it_drains);
}

directory::registration running_node::registration() const {
  directory::registration self;
  self.node = options_.name;
  self.incarnation = incarnation_;
  self.born = born_.count();
  self.address = options_.advertise.empty() ? address_ : options_.advertise;
  for (const auto& each : dispatcher_.topics()) {
    self.topics.push_back({each.exchange, each.topic});
  }
  std::sort(self.topics.begin(), self.topics.end());
  self.labels = options_.labels;
  self.draining = drains_;
  return self;
}

rpc::control_client::options running_node::client_of(const std::string& address) {
  rpc::control_client::options with;
  with.address = address;
  with.node = options_.name;
  with.incarnation = incarnation_;
  with.max_body = options_.max_body;
  with.loops = [this] { return health_->loops(); };
  with.changed = [this, address](const error* why) { changed(address, why); };
  return with;
}

bool running_node::is_configured(const std::string& address) const {
  return std::find(options_.connect.begin(), options_.connect.end(), address) !=
         options_.connect.end();
}

// One connection for each address, whoever named it.
void running_node::found(const directory::registration& server) {
  const std::string& address = server.address;
  if (const auto known = peers_.find(address); known != peers_.end()) {
    if (known->second->is_up() || !known->second->hurry()) {
      membership_->settled(address);
    }
    return;
  }
  if (const auto good = check_connect_address(address); !good) {
    log::warn("server_without_address",
              {{"server", server.node}, {"reason", good.error().message()}});
    membership_->settled(address);
    return;
  }
  if (address == address_ || address == options_.advertise) {
    membership_->settled(address);  // A list that all nodes share names this one, too.
    return;
  }
  auto with = client_of(address);
  with.labels = server.labels;
  with.pause = pause_for(with);
  auto& peer = peers_[address];
  peer = std::make_unique<rpc::control_client>(
      control_loop_, host_, *transport_for(address), *connector_, std::move(with));
  peer->start();
  if (!peer->hurry()) {
    membership_->settled(address);  // It has been tried too often to be tried now.
  }
}

// A server that comes and goes again and again is a new one to us each time, but not to itself.
std::shared_ptr<rpc::reconnect_pause> running_node::pause_for(
    const rpc::control_client::options& with) {
  constexpr std::size_t many = 1024;
  if (pauses_.size() >= many) {
    std::erase_if(pauses_, [](const auto& each) { return each.second.use_count() == 1; });
  }
  auto& kept = pauses_[with.address];
  if (kept == nullptr) {
    kept = std::make_shared<rpc::reconnect_pause>(with.first_pause, with.longest_pause);
  }
  return kept;
}

// While its session lives it is there all the same; then it is forgotten. Not at once: it may be
// the client itself that tells.
void running_node::gone(const std::string& address) {
  control_loop_.post([this, address] { part_from(address); });
}

void running_node::changed(const std::string& address, const error* why) {
  if (!membership_) {
    return;
  }
  membership_->settled(address);
  if (why != nullptr) {
    gone(address);  // If it is.
  }
}

void running_node::part_from(const std::string& address) {
  const auto peer = peers_.find(address);
  if (peer == peers_.end() || peer->second->is_up() || is_configured(address) || !membership_ ||
      membership_->has(address)) {
    return;  // It is there, or there again.
  }
  rpc::control_client* const parted = peer->second.get();
  parted->close();
  parted_.push_back(std::move(peer->second));
  peers_.erase(peer);
  // The connector may be about to tell it of its session.
  loop_of_calls().post([this, address, parted] {
    connector_->forget(address, error(errc::lost, address + " is gone from all directories"));
    control_loop_.post([this, parted] {
      std::erase_if(parted_, [parted](const auto& each) { return each.get() == parted; });
    });
  });
}

}  // namespace mailroom
