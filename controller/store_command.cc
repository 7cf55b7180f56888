#include "controller/store_command.h"

#include <sys/stat.h>

#include <iostream>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/base/status_macros.h"
#include "controller/store/store_location.h"

namespace curlew::controller {
namespace {

// Only for the time that a verb works on a store.
constexpr absl::Duration kLeaseTerm = absl::Seconds(15);

// What the verbs' options hold; kept by their callbacks.
struct Arguments {
  std::string store = "curlew.db";
  std::string file;
};

using Verb = absl::StatusOr<std::string> (*)(store::StoreLocation&, const Arguments&);

absl::StatusOr<std::string> Backup(store::StoreLocation& location, const Arguments& arguments) {
  RETURN_IF_ERROR(location.Backup(arguments.file));
  struct stat status = {};
  stat(arguments.file.c_str(), &status);
  return absl::StrCat("store ", location.Name(), " was backed up to ", arguments.file, " (", status.st_size,
                      " bytes)");
}

absl::StatusOr<std::string> Restore(store::StoreLocation& location, const Arguments& arguments) {
  RETURN_IF_ERROR(location.Restore(arguments.file));
  ASSIGN_OR_RETURN(const std::string found, location.Check());
  return absl::StrCat(arguments.file, " was restored\n", found);
}

absl::StatusOr<std::string> Check(store::StoreLocation& location, const Arguments&) {
  return location.Check();
}

absl::StatusOr<std::string> Migrate(store::StoreLocation& location, const Arguments&) {
  return location.Migrate();
}

int Run(Verb verb, const Arguments& arguments) {
  const auto location = store::StoreLocation::Parse(arguments.store, kLeaseTerm);
  const auto said = location.ok() ? verb(**location, arguments) : location.status();
  if (said.ok()) {
    std::cout << *said << "\n";
    return 0;
  }
  std::cerr << "curlew-controller: " << said.status().message() << "\n";
  return location.ok() ? 1 : 2;
}

enum class File { kNone, kNew, kBackup };

void AddVerb(CLI::App* store, const char* name, const char* what, const char* footer, File file, Verb verb,
             std::function<int()>* chosen) {
  CLI::App* app = store->add_subcommand(name, what);
  const auto arguments = std::make_shared<Arguments>();
  app->add_option("--store", arguments->store,
                  "The store: sqlite:///absolute/path, sqlite:relative/path, a path, or "
                  "postgresql://user@host/database; "
                  "a password is better kept in ~/.pgpass")
      ->type_name("URL")
      ->capture_default_str();
  if (file != File::kNone) {
    app->add_option("FILE", arguments->file,
                    file == File::kNew ? "Where the backup goes; never overwritten" : "The backup")
        ->type_name("")
        ->required();
  }
  app->footer(footer);
  app->callback([chosen, verb, arguments] { *chosen = [verb, arguments] { return Run(verb, *arguments); }; });
}

constexpr char kFooter[] = R"(Examples:
  curlew-controller store backup --store /var/lib/curlew/store.db curlew-2026-01-31.backup
      Keep a copy; the controller may run.
  curlew-controller store restore --store postgresql://curlew@db/curlew curlew-2026-01-31.backup
      Make an empty store what the copy holds. Also how to move from SQLite to PostgreSQL, or back.
  curlew-controller store check --store /var/lib/curlew/store.db
      Read everything, and say what is wrong.

Exit codes: 0 done, 1 failed (for check: the store is damaged), 2 wrong usage.)";

constexpr char kBackupFooter[] =
    R"(All that is in the store at one moment, in one file with a digest. The file is the same for every kind of
store. A controller may run meanwhile.

Example:
  curlew-controller store backup --store sqlite:///var/lib/curlew/store.db /backup/curlew.backup)";

constexpr char kRestoreFooter[] =
    R"(The store is made where it is not there, and must be empty. No controller may use it meanwhile. Either all of
the backup is restored, or nothing.

Moving from SQLite to PostgreSQL: end the controller, then
  curlew-controller store backup --store /var/lib/curlew/store.db curlew.backup
  curlew-controller store restore --store postgresql://curlew@db/curlew curlew.backup
and start the controllers with --store postgresql://curlew@db/curlew.)";

constexpr char kCheckFooter[] =
    R"(Reads every row. Events must be numbered without a gap, and whatever refers to a rollout must find it. A
controller may run meanwhile.

Example:
  curlew-controller store check --store postgresql://curlew@db/curlew)";

constexpr char kMigrateFooter[] =
    R"(A controller does the same when it begins to lead. Nothing is done while one leads.

Example:
  curlew-controller store migrate --store /var/lib/curlew/store.db)";

}  // namespace

void AddStoreCommand(CLI::App* app, std::function<int()>* verb) {
  CLI::App* store =
      app->add_subcommand("store", "Back up, restore, check or migrate a store, without serving");
  store->require_subcommand(1);
  store->footer(kFooter);
  AddVerb(store, "backup", "Write all that is in the store to a new file", kBackupFooter, File::kNew, Backup,
          verb);
  AddVerb(store, "restore", "Fill an empty store from a backup", kRestoreFooter, File::kBackup, Restore,
          verb);
  AddVerb(store, "check", "Read everything in the store and say whether it is sound", kCheckFooter,
          File::kNone, Check, verb);
  AddVerb(store, "migrate", "Bring the store's tables up to date", kMigrateFooter, File::kNone, Migrate,
          verb);
}

}  // namespace curlew::controller
