#pragma once

#include <mailroom/framework/directory/source.hpp>

#include <set>
#include <vector>

namespace mailroom::directory {

/// A directory that is configured: what it says never changes, and nobody registers. Who does not
/// run is found out when it is called.
class static_source final : public source {
 public:
  static_source(std::vector<registration> nodes, observer& tells)
      : nodes_(std::move(nodes)), observer_(tells) {}

  const std::string& name() const noexcept override { return name_; }
  state reached() const noexcept override { return state::reached; }
  std::string why() const override { return {}; }
  void publish(const registration&, std::function<void()> told) override { told(); }
  void watch(const key& what) override;
  bool has_told(const key& what) const override { return watched_.contains(what); }
  time_point settled_at() const noexcept override { return time_point::min(); }
  void close(const farewell&) noexcept override {}

 private:
  const std::string name_ = "static";
  const std::vector<registration> nodes_;
  observer& observer_;
  std::set<key> watched_;
};

}  // namespace mailroom::directory
