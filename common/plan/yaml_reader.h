// The reader behind ReadYaml, which also tells where each field stood.
#ifndef CURLEW_COMMON_PLAN_YAML_READER_H_
#define CURLEW_COMMON_PLAN_YAML_READER_H_

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/message.h"

namespace curlew::plan {

// A place in a file, counted from 1; columns in characters.
struct Place {
  int line = 1;
  int column = 1;
};

// Detail of the statuses of this file: the place, "LINE:COLUMN".
inline constexpr absl::string_view kPlaceDetail = "place";
// The place of such a status; line 1 for any other.
Place PlaceOf(const absl::Status& status);

// Where the fields of a message stood in its file. Paths are those of base::kField:
// "operations[2].add_check.expression". A value; not thread-safe while it is filled.
class Places {
 public:
  void Add(std::string path, Place place) { places_.insert_or_assign(std::move(path), place); }
  // The place of `path`, or of the nearest message around it that stood in the file.
  Place Find(absl::string_view path) const;

 private:
  std::map<std::string, Place, std::less<>> places_;
};

// As ReadYaml; `places` gets the place of every key and list entry. `places` may be null.
absl::Status ReadYamlWithPlaces(absl::string_view text, absl::string_view file,
                                google::protobuf::Message* message, Places* places);

// `status` with "FILE:LINE:COLUMN: " before its message, the place being that of its base::kField.
absl::Status AtPlace(const absl::Status& status, absl::string_view file, const Places& places);

}  // namespace curlew::plan

#endif  // CURLEW_COMMON_PLAN_YAML_READER_H_
