using System;
using System.Text;

namespace Virtufin.DevKit
{
    /// <summary>A CloudEvent in JSON form, as a worker receives it (CloudEvents 1.0, JSON event format).</summary>
    public sealed class CloudEvent
    {
        private static readonly UTF8Encoding StrictUtf8 = new UTF8Encoding(false, true);

        private readonly JsonObject members;

        private CloudEvent(JsonObject members)
        {
            this.members = members;
        }

        /// <summary>Reads an event. A text that is no JSON object gives an event without any member.</summary>
        /// <param name="json">The event.</param>
        public static CloudEvent Parse(string json)
        {
            return new CloudEvent(ReadObject(json) ?? new JsonObject());
        }

        /// <summary>Writes an event with JSON data and a new id.</summary>
        /// <param name="type">Its type, which is the topic that it goes to.</param>
        /// <param name="source">Its source.</param>
        /// <param name="correlationId">Extension that ties a reply to its command; null for none.</param>
        /// <param name="dataJson">The data as JSON.</param>
        public static string Write(string type, string source, string correlationId, string dataJson)
        {
            string attributes = JsonWriter.Write(new JsonObject()
                .Set("specversion", "1.0")
                .Set("id", Guid.NewGuid().ToString())
                .Set("source", source)
                .Set("type", type)
                .Set("datacontenttype", "application/json")
                .SetIfGiven("correlationid", correlationId));
            return attributes.Substring(0, attributes.Length - 1) + ",\"data\":" + dataJson + "}";
        }

        /// <summary>An attribute or extension that is a string: null when there is none, or when it is empty.</summary>
        /// <param name="name">Its name.</param>
        public string Attribute(string name)
        {
            var text = members.Get(name) as string;
            return string.IsNullOrEmpty(text) ? null : text;
        }

        /// <summary>
        /// The data as a JSON object of bounded depth. JSON in a string or in <c>data_base64</c> is read as well: that is
        /// how it arrives from a sender who named another content type.
        /// </summary>
        /// <exception cref="CommandException">There is no such data.</exception>
        public JsonObject DataObject()
        {
            object data = members.Get("data");
            var packed = members.Get("data_base64") as string;
            if (data == null && packed == null)
            {
                throw CommandException.Invalid("the event has no data: send {\"command\": ...} as JSON");
            }

            string text = data == null ? Unpack(packed) : data as string;
            JsonObject result = text == null ? data as JsonObject : ReadObject(text);
            if (result == null || !JsonDepth.IsBounded(result))
            {
                throw CommandException.Invalid("field \"data\" is no JSON object of at most 64 levels");
            }

            return result;
        }

        private static JsonObject ReadObject(string json)
        {
            try
            {
                return JsonReader.Read(json) as JsonObject;
            }
            catch (JsonException)
            {
                return null;
            }
        }

        private static string Unpack(string packed)
        {
            try
            {
                return Base64Text.IsValid(packed) ? StrictUtf8.GetString(Convert.FromBase64String(packed)) : string.Empty;
            }
            catch (ArgumentException)
            {
                return string.Empty; // bytes that are no UTF-8 are no JSON either
            }
        }
    }
}
