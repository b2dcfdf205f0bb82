#include <mailroom/services/host/addresses.hpp>
#include <mailroom/tools/mailroom/options.hpp>

#include <mailroom/framework/base/text.hpp>
#include <mailroom/framework/executors/executor.hpp>

#include <sched.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <sstream>
#include <string_view>
#include <system_error>
#include <thread>
#include <vector>

namespace mailroom::cli {
namespace {

/// An option whose text `read` makes a value of; what it says about a bad one is the complaint.
template <class T, class Read>
CLI::Option* add_read(CLI::App& to,
                      const std::string& name,
                      T& value,
                      const std::string& help,
                      const std::string& shown,
                      const std::string& now,
                      Read read) {
  return to
      .add_option_function<std::string>(
          name,
          [name, &value, read](const std::string& text) {
            const auto parsed = read(text);
            if (!parsed) {
              throw CLI::ValidationError(name, std::string(parsed.error().message()));
            }
            value = static_cast<T>(*parsed);
          },
          help)
      ->type_name(shown)
      ->default_str(now);
}

/// As CLI11 wants it: what is wrong, or nothing.
template <class Check>
auto complaint_of(Check check) {
  return [check](const std::string& text) {
    const result<void> good = check(text);
    return good ? std::string() : std::string(good.error().message());
  };
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

/// Whether a list as of `cpus` has the number that `text` is.
bool lists(const std::string& listed, const std::string& text) {
  std::uint64_t wanted = 0;
  if (!read_number(text, wanted) || wanted >= CPU_SETSIZE) {
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

}  // namespace

CLI::App* add_verb(CLI::App& to,
                   const std::string& name,
                   const std::string& description,
                   const std::string& example) {
  CLI::App* verb = to.add_subcommand(name, description);
  verb->footer("Example:\n  " + example);
  return verb;
}

CLI::Option* add_duration(CLI::App& to,
                          const std::string& name,
                          duration& value,
                          const std::string& help) {
  return add_read(
      to, name, value, help, "TIME", format_duration(value), [](const std::string& text) {
        return parse_duration(text);
      });
}

CLI::Option* add_size(CLI::App& to,
                      const std::string& name,
                      std::size_t& value,
                      const std::string& help) {
  return add_read(to, name, value, help, "SIZE", format_size(value), [](const std::string& text) {
    return parse_size(text);
  });
}

CLI::Option* add_executor(CLI::App& to,
                          const std::string& name,
                          std::string& value,
                          const std::string& help) {
  return add_read(
      to, name, value, help, "NAME", value, [](const std::string& text) -> result<std::string> {
        std::vector<std::string> known;
        std::string listed;
        for (const auto& each : executors::policies()) {
          known.emplace_back(each);
          listed += (listed.empty() ? "" : ", ") + known.back();
          if (text == each) {
            return text;
          }
        }
        const std::string meant = nearest(text, known);
        return error(errc::invalid_value,
                     "unknown executor '" + text + "'" +
                         (meant.empty() ? ", there are " + listed : ", nearest is " + meant));
      });
}

CLI::Option* add_connect(CLI::App& to, std::string& value) {
  return to.add_option("--connect", value, "Address of the node, as tcp://127.0.0.1:7001")
      ->required()
      ->check(complaint_of(&check_connect_address))
      ->type_name("ADDRESS");
}

CLI::Option* add_listen(CLI::App& to, std::string& value) {
  return to.add_option("--listen", value, "Address; port 0: chosen by the system")
      ->capture_default_str()
      ->check(complaint_of(&check_listen_address))
      ->type_name("ADDRESS");
}

CLI::Option* add_topic(CLI::App& to, std::string& value, const std::string& help) {
  return to.add_option("--topic", value, help)
      ->check([](const std::string& topic) {
        return topic.empty() ? std::string("a topic has a name") : std::string();
      })
      ->type_name("TOPIC");
}

CLI::Option* add_json(CLI::App& to, bool& value) {
  return to.add_flag("--json", value, "Print JSON");
}

void add_cpu(CLI::App& to, std::optional<unsigned>& value) {
  to.add_option("--cpu", value, "Keep to this CPU")
      ->check([](const std::string& text) {
        const std::string online = cpus();
        return lists(online, text) ? std::string()
                                   : "there is no CPU '" + text + "', there are " + online;
      })
      ->type_name("N");
}

CLI::Option* add_workers(CLI::App& to, std::size_t& value) {
  return to.add_option("--workers", value, "Threads of work-stealing; 0: one for each core")
      ->capture_default_str()
      ->check(whole_number(0, 1024))
      ->type_name("N");
}

CLI::Validator whole_number(std::uint64_t least, std::uint64_t most) {
  const auto check = [least, most](const std::string& text) {
    std::uint64_t number = 0;
    return read_number(text, number) && number >= least && number <= most
               ? std::string()
               : "'" + text + "' should be a whole number from " + std::to_string(least) + " to " +
                     std::to_string(most);
  };
  return {check, ""};
}

CLI::Validator finite_number(double least, double most) {
  const auto check = [least, most](const std::string& text) {
    double number = 0;
    // Written so that nan fails.
    if (CLI::detail::lexical_cast(text, number) && number >= least && number <= most) {
      return std::string();
    }
    std::ostringstream wrong;
    wrong << '\'' << text << "' should be a number from " << least << " to " << most;
    return wrong.str();
  };
  return {check, ""};
}

}  // namespace mailroom::cli
