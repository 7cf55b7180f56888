// docs/pipelines.md says what an environments file can hold.
#include <gmock/gmock.h>
#include <google/protobuf/descriptor.pb.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/plan/plan_reader.h"
#include "common/plan/scalar.h"
#include "tests/support/status_matchers.h"

namespace curlew::plan {
namespace {

using ::google::protobuf::Descriptor;
using ::google::protobuf::FieldDescriptor;
using ::google::protobuf::Message;

constexpr char kPage[] = CURLEW_SOURCE_DIR "/docs/pipelines.md";
constexpr char kBegin[] = "<!-- table: fields -->\n";
constexpr char kEnd[] = "<!-- end of table -->";

// What a file is made of, in the order in which the page lists them.
constexpr const char* kMessages[] = {"Environment",  "TargetLabels", "WavePolicy",      "GatePolicy",
                                     "Window",       "Freeze",       "HealthCheck",     "AgentCheck",
                                     "PlanCheckRef", "HttpCheck",    "PrometheusCheck", "ReportedCheck"};

// Set by the server: a file need not have it.
const std::set<std::string> kOfTheServer = {"position", "etag"};

std::string Page() {
  std::ifstream file(kPage);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// The comments of the .proto file are not in the program: CMake writes them to a file beside the test.
class Comments {
 public:
  Comments() {
    std::ifstream stream(CURLEW_ROLLOUT_DESCRIPTOR, std::ios::binary);
    google::protobuf::FileDescriptorSet files;
    EXPECT_TRUE(files.ParseFromIstream(&stream)) << CURLEW_ROLLOUT_DESCRIPTOR;
    for (const auto& file : files.file()) file_ = pool_.BuildFile(file);  // rollout.proto is the last
  }

  const Descriptor* Find(const std::string& message) const {
    return file_ == nullptr ? nullptr : file_->FindMessageTypeByName(message);
  }

  // On one line.
  template <typename Described>
  static std::string Of(const Described* described) {
    google::protobuf::SourceLocation location;
    if (!described->GetSourceLocation(&location)) return "";
    std::vector<std::string> lines;
    for (absl::string_view line : absl::StrSplit(location.leading_comments, '\n')) {
      line = absl::StripAsciiWhitespace(line);
      if (!line.empty()) lines.emplace_back(line);
    }
    return absl::StrReplaceAll(absl::StrJoin(lines, " "), {{"|", "\\|"}});
  }

 private:
  google::protobuf::DescriptorPool pool_;
  const google::protobuf::FileDescriptor* file_ = nullptr;
};

std::string Link(const std::string& message) {
  return absl::StrCat("[", message, "](#", absl::AsciiStrToLower(message), ")");
}

// The type of one value, as a file writes it.
std::string TypeOf(const FieldDescriptor* field) {
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_MESSAGE:
      if (field->message_type()->full_name() == "google.protobuf.Duration") return "duration";
      return Link(field->message_type()->name());
    case FieldDescriptor::CPPTYPE_ENUM: {
      std::vector<std::string> names;
      for (int i = 1; i < field->enum_type()->value_count(); ++i) {
        names.push_back(absl::StrCat("`", EnumText(field->enum_type()->value(i)), "`"));
      }
      return absl::StrJoin(names, ", ");
    }
    case FieldDescriptor::CPPTYPE_STRING:
      return "text";
    case FieldDescriptor::CPPTYPE_BOOL:
      return "`true`, `false`";
    default:
      return "number";
  }
}

std::string Table() {
  const Comments comments;
  std::string table;
  for (const char* name : kMessages) {
    const Descriptor* message = comments.Find(name);
    EXPECT_NE(message, nullptr) << name;
    if (message == nullptr) continue;
    absl::StrAppend(&table, "\n### ", name, "\n\n", Comments::Of(message), "\n\n",
                    "| field | type | what it is |\n|---|---|---|\n");
    for (int i = 0; i < message->field_count(); ++i) {
      const FieldDescriptor* field = message->field(i);
      if (kOfTheServer.count(field->name()) > 0) continue;
      std::string type = field->is_map() ? "mapping of texts" : TypeOf(field);
      if (field->is_repeated() && !field->is_map()) type = absl::StrCat("list of ", type);
      if (field->real_containing_oneof() != nullptr) absl::StrAppend(&type, " (one of these)");
      EXPECT_FALSE(Comments::Of(field).empty()) << field->full_name();
      absl::StrAppend(&table, "| `", field->name(), "` | ", type, " | ", Comments::Of(field), " |\n");
    }
  }
  return table;
}

// The YAML blocks of the page.
std::vector<std::string> Blocks() {
  std::vector<std::string> blocks;
  const std::string page = Page();
  constexpr absl::string_view kFence = "```yaml\n";
  for (size_t at = page.find(kFence.data()); at != std::string::npos; at = page.find(kFence.data(), at)) {
    at += kFence.size();
    const size_t end = page.find("```\n", at);
    EXPECT_NE(end, std::string::npos);
    blocks.push_back(page.substr(at, end - at));
  }
  return blocks;
}

// Adds "WavePolicy.count" for each field that is set, in `message` and below.
void AddSet(const Message& message, std::set<std::string>* names) {
  std::vector<const FieldDescriptor*> fields;
  message.GetReflection()->ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    names->insert(absl::StrCat(field->containing_type()->name(), ".", field->name()));
    if (field->is_map() || field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) continue;
    if (!field->is_repeated()) {
      AddSet(message.GetReflection()->GetMessage(message, field), names);
      continue;
    }
    for (int i = 0; i < message.GetReflection()->FieldSize(message, field); ++i) {
      AddSet(message.GetReflection()->GetRepeatedMessage(message, field, i), names);
    }
  }
}

TEST(PipelinesDocTest, ThePageListsEveryField) {
  std::string page = Page();
  const size_t begin = page.find(kBegin);
  ASSERT_NE(begin, std::string::npos) << kPage << " lacks the line " << kBegin;
  const size_t from = begin + sizeof(kBegin) - 1;
  const size_t to = page.find(kEnd, from);
  ASSERT_NE(to, std::string::npos) << kPage << " lacks the line " << kEnd;
  if (std::getenv("CURLEW_WRITE_DOCS") != nullptr) {
    page.replace(from, to - from, absl::StrCat(Table(), "\n"));
    std::ofstream(kPage) << page;
    return;
  }
  EXPECT_EQ(page.substr(from, to - from), absl::StrCat(Table(), "\n"))
      << "If rollout.proto is right: CURLEW_WRITE_DOCS=1 with this test.";
}

TEST(PipelinesDocTest, EveryExampleIsValid) {
  const std::vector<std::string> blocks = Blocks();
  EXPECT_GE(blocks.size(), 4u);
  for (const std::string& block : blocks) EXPECT_OK(ReadEnvironments(block, "docs/pipelines.md")) << block;
}

TEST(PipelinesDocTest, EveryFieldHasAnExample) {
  std::set<std::string> set;
  for (const std::string& block : Blocks()) {
    const auto request = ReadEnvironments(block, "docs/pipelines.md");
    if (request.ok()) AddSet(*request, &set);
  }
  for (const char* name : kMessages) {
    const Descriptor* message = v1::Environment::descriptor()->file()->FindMessageTypeByName(name);
    ASSERT_NE(message, nullptr) << name;
    for (int i = 0; i < message->field_count(); ++i) {
      if (kOfTheServer.count(message->field(i)->name()) > 0) continue;
      const std::string field = absl::StrCat(name, ".", message->field(i)->name());
      EXPECT_TRUE(set.count(field) > 0) << field << " stands in no example of " << kPage;
    }
  }
}

// Whatever a file can hold has a table: walks down from Environment.
void AddMessages(const Descriptor* message, std::set<std::string>* names) {
  if (!names->insert(message->name()).second) return;
  for (int i = 0; i < message->field_count(); ++i) {
    const FieldDescriptor* field = message->field(i);
    if (field->is_map() || field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) continue;
    if (field->message_type()->full_name() == "google.protobuf.Duration") continue;
    AddMessages(field->message_type(), names);
  }
}

TEST(PipelinesDocTest, EveryPartOfAFileHasATable) {
  std::set<std::string> names;
  AddMessages(v1::Environment::descriptor(), &names);
  EXPECT_EQ(names, std::set<std::string>(std::begin(kMessages), std::end(kMessages)));
}

}  // namespace
}  // namespace curlew::plan
