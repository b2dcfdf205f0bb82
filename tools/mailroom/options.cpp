#include <mailroom/services/host/addresses.hpp>
#include <mailroom/tools/mailroom/options.hpp>

#include <mailroom/framework/base/text.hpp>
#include <mailroom/framework/executors/executor.hpp>

#include <sched.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string_view>
#include <system_error>
#include <thread>

namespace mailroom::cli {
namespace {

/// An option whose text `read` makes a result of.
template <class T, class Read>
option add_read(const command& to,
                const std::string& name,
                T& value,
                const std::string& help,
                const std::string& kind,
                const std::string& now,
                Read read) {
  const auto take = [&value, read](const std::string& text) -> result<void> {
    const auto made = read(text);
    if (!made) {
      return made.error();
    }
    value = static_cast<T>(*made);
    return {};
  };
  return to.add_option(name, help, kind, now, take);
}

error bad(const std::string& why) {
  return error(errc::invalid_value, why);
}

/// "unknown executor 'x'" and what was meant, unless `word` is one of `known`.
result<void> check_word(const std::string& unknown,
                        const std::string& word,
                        const std::vector<std::string>& known) {
  std::string listed;
  for (const auto& each : known) {
    if (word == each) {
      return {};
    }
    listed += (listed.empty() ? "" : ", ") + each;
  }
  const std::string meant = nearest(word, known);
  return bad(unknown + " '" + word + "'" +
             (meant.empty() ? ", there are " + listed : ", nearest is " + meant));
}

/// Whole numbers only, without a sign.
bool read_number(std::string_view text, std::uint64_t& number) {
  const char* last = text.data() + text.size();
  const auto read = std::from_chars(text.data(), last, number);
  return read.ec == std::errc{} && read.ptr == last;
}

/// The CPUs that are there, as the system lists them: "0-3,8".
std::string cpus() {
  std::ifstream file("/sys/devices/system/cpu/online");
  std::string listed;
  if (std::getline(file, listed) && !listed.empty()) {
    return listed;
  }
  return "0-" + std::to_string(std::max(std::thread::hardware_concurrency(), 1U) - 1);
}

/// Whether a list as of `cpus` has the number.
bool lists(const std::string& listed, std::uint64_t wanted) {
  if (wanted >= CPU_SETSIZE) {
    return false;
  }
  std::istringstream ranges(listed);
  for (std::string range; std::getline(ranges, range, ',');) {
    const auto dash = range.find('-');
    std::uint64_t first = 0;
    std::uint64_t last = 0;
    const bool good = read_number(std::string_view(range).substr(0, dash), first) &&
                      read_number(std::string_view(range).substr(dash + 1), last);
    if (good && first <= wanted && wanted <= last) {
      return true;
    }
  }
  return false;
}

/// All of the text is one.
bool read_number(const std::string& text, double& number) {
  char* end = nullptr;
  number = std::strtod(text.c_str(), &end);
  return !text.empty() && end == text.c_str() + text.size();
}

std::string shown(double number) {
  std::ostringstream text;
  text << number;
  return text.str();
}

}  // namespace

option add_duration(const command& to,
                    const std::string& name,
                    duration& value,
                    const std::string& help) {
  return add_read(to, name, value, help, "TIME", format_duration(value), &parse_duration);
}

option add_size(const command& to,
                const std::string& name,
                std::size_t& value,
                const std::string& help) {
  return add_read(to, name, value, help, "SIZE", format_size(value), &parse_size);
}

option add_number(const command& to,
                  const std::string& name,
                  std::size_t& value,
                  const std::string& help,
                  const std::string& kind,
                  std::uint64_t least,
                  std::uint64_t most) {
  const auto read = [least, most](const std::string& text) -> result<std::uint64_t> {
    std::uint64_t number = 0;
    if (read_number(text, number) && number >= least && number <= most) {
      return number;
    }
    return bad("'" + text + "' should be a whole number from " + std::to_string(least) + " to " +
               std::to_string(most));
  };
  return add_read(to, name, value, help, kind, std::to_string(value), read);
}

option add_number(const command& to,
                  const std::string& name,
                  double& value,
                  const std::string& help,
                  const std::string& kind,
                  double least,
                  double most) {
  const auto read = [least, most](const std::string& text) -> result<double> {
    double number = 0;
    // Written so that nan fails.
    if (read_number(text, number) && number >= least && number <= most) {
      return number;
    }
    return bad("'" + text + "' should be a number from " + shown(least) + " to " + shown(most));
  };
  return add_read(to, name, value, help, kind, shown(value), read);
}

option add_choice(const command& to,
                  const std::string& name,
                  std::vector<std::string>& value,
                  const std::string& help,
                  const std::vector<std::string>& known) {
  return to.add_words(name, value, help, "NAME,...").check([known](const std::string& word) {
    return check_word("unknown", word, known);
  });
}

option add_executor(const command& to,
                    const std::string& name,
                    std::string& value,
                    const std::string& help) {
  return to.add_text(name, value, help, "NAME").check([](const std::string& text) {
    const auto known = executors::policies();
    return check_word("unknown executor", text, {known.begin(), known.end()});
  });
}

option add_connect(const command& to, std::string& value) {
  return to.add_text("--connect", value, "Address of the node, as tcp://127.0.0.1:7001", "ADDRESS")
      .required()
      .check(&check_connect_address);
}

option add_connect_unless(const command& to, std::string& value, const std::string& other) {
  return to
      .add_text("--connect",
                value,
                "Address of the node, as tcp://127.0.0.1:7001; or " + other,
                "ADDRESS")
      .check(&check_connect_address);
}

option add_connect(const command& to, std::vector<std::string>& value) {
  return to
      .add_words("--connect",
                 value,
                 "Addresses of nodes, as tcp://127.0.0.1:7001; or --directory",
                 "ADDRESS,...")
      .check(&check_connect_address);
}

option add_listen(const command& to, std::string& value) {
  return to.add_text("--listen", value, "Address; port 0: chosen by the system", "ADDRESS")
      .check(&check_listen_address);
}

option add_topic(const command& to, std::string& value, const std::string& help) {
  return to.add_text("--topic", value, help, "TOPIC")
      .check([](const std::string& topic) -> result<void> {
        return topic.empty() ? bad("a topic has a name") : result<void>();
      });
}

option add_method(const command& to, std::string& value, const std::string& help) {
  return to.add_text("--method", value, help, "NAME")
      .check([](const std::string& method) -> result<void> {
        return method.empty() ? bad("a method has a name") : result<void>();
      });
}

void add_json(const command& to, bool& value) {
  to.add_flag("--json", value, "Print JSON");
}

void add_cpu(const command& to, std::optional<unsigned>& value) {
  const auto read = [](const std::string& text) -> result<std::uint64_t> {
    const std::string online = cpus();
    std::uint64_t number = 0;
    if (read_number(text, number) && lists(online, number)) {
      return number;
    }
    return bad("there is no CPU '" + text + "', there are " + online);
  };
  add_read(to, "--cpu", value, "Keep to this CPU", "N", "", read);
}

option add_workers(const command& to, std::size_t& value) {
  return add_number(
      to, "--workers", value, "Threads of work-stealing; 0: one for each core", "N", 0, 1024);
}

}  // namespace mailroom::cli
