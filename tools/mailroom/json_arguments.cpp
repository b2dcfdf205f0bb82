#include <mailroom/tools/mailroom/json_arguments.hpp>

#include <mailroom/framework/wire/json.hpp>

#include <nlohmann/json.hpp>

#include <cstddef>
#include <set>
#include <vector>

namespace mailroom::cli {
namespace {

using json = nlohmann::json;

/// Finds what a tree of values does not show any more.
class strict_reader : public nlohmann::json_sax<json> {
 public:
  const std::string& lost() const noexcept { return lost_; }

  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t& text) override {
    // The parser makes a double of an integer that is too long.
    if (text.find_first_of(".eE") != std::string::npos) {
      return true;
    }
    lost_ = "the integer " + text + " needs more than 64 bits: write it as text, or as " + text +
            ".0 if it may be rounded";
    return false;
  }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool start_object(std::size_t) override {
    keys_.emplace_back();
    return true;
  }
  bool key(string_t& name) override {
    if (keys_.back().insert(name).second) {
      return true;
    }
    lost_ = "an object has the key '" + name + "' twice: each may stand once";
    return false;
  }
  bool end_object() override {
    keys_.pop_back();
    return true;
  }
  bool start_array(std::size_t) override { return true; }
  bool end_array() override { return true; }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override {
    return false;  // Who makes values of it says where.
  }

 private:
  std::vector<std::set<std::string>> keys_;  // Of the objects that are open.
  std::string lost_;
};

}  // namespace

result<wire::buffer> read_arguments(const std::string& text) {
  strict_reader reader;
  json::sax_parse(text, &reader);
  if (!reader.lost().empty()) {
    return error(errc::invalid_arguments, "the arguments: " + reader.lost());
  }
  return wire::arguments_from_json(text);
}

}  // namespace mailroom::cli
