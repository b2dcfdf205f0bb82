#include <mailroom/framework/rpc/call_chain.hpp>

#include <algorithm>

namespace mailroom::rpc {

const wire::chain_link* call_chain::find(std::uint64_t endpoint,
                                         std::uint64_t oldest) const noexcept {
  const auto found = std::find_if(links_.rbegin(), links_.rend(), [&](const auto& each) {
    return each.endpoint == endpoint && each.number >= oldest;
  });
  return found == links_.rend() ? nullptr : &*found;
}

std::string call_chain::path_from(const wire::chain_link& first, std::string_view back) const {
  std::string path;
  for (const auto* each = &first; each != links_.data() + links_.size(); ++each) {
    path.append(each->name).append(" → ");
  }
  return path.append(back);
}

const ref<call_chain>& call_origin::chain() const {
  if (!made_) {
    std::vector<wire::chain_link> links;
    if (outer_) {
      links = outer_->links();
    }
    // The newest count: what is further out than so many calls is no longer looked for.
    if (links.size() == wire::max_chain) {
      links.erase(links.begin());
    }
    links.push_back({endpoint_, number_, std::string(name_)});
    made_ = make_ref<call_chain>(std::move(links));
  }
  return made_;
}

ref<call_chain> call_origin::of_this_flow() {
  const async::flow* here = async::current_flow();
  return here == nullptr || here->within == nullptr
             ? ref<call_chain>()
             : static_cast<const call_origin*>(here->within)->chain();
}

}  // namespace mailroom::rpc
