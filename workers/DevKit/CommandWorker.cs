using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Text;

namespace Virtufin.DevKit
{
    /// <summary>
    /// Base of workers that obey commands: JSON objects with a field <c>command</c>, whose case does not matter. Every
    /// event is answered, with <c>"success": false</c> when it cannot be obeyed, and nothing makes it throw. Commands
    /// run one at a time, in the order in which they come. A command that comes again with the same
    /// <c>correlationid</c> is answered from memory (<see cref="ReplyMemory"/>).
    /// </summary>
    public abstract class CommandWorker : IWorker
    {
        private readonly object gate = new object();
        private readonly ReplyMemory memory = new ReplyMemory();
        private readonly Stopwatch clock = Stopwatch.StartNew();
        private readonly Dictionary<string, Func<Command, JsonObject>> handlers =
            new Dictionary<string, Func<Command, JsonObject>>(StringComparer.Ordinal);
        private readonly List<string> commands = new List<string>();
        private readonly Dictionary<string, string> aliases = new Dictionary<string, string>(StringComparer.Ordinal);
        private readonly string source;
        private readonly string replyType;

        /// <summary>Names the events that this worker sends.</summary>
        /// <param name="source">Their source.</param>
        /// <param name="replyType">Their type, which is the topic that they go to, unless a command brings a
        /// <c>replytopic</c>.</param>
        protected CommandWorker(string source, string replyType)
        {
            this.source = source;
            this.replyType = replyType;
        }

        /// <summary>Id of this worker: null before <see cref="Start"/>.</summary>
        protected string WorkerId { get; private set; }

        /// <summary>The way to the platform's services.</summary>
        protected IGateway Gateway { get; private set; }

        /// <inheritdoc />
        public void Start(string workerId, string topic, IGateway gateway)
        {
            lock (gate)
            {
                WorkerId = workerId;
                Gateway = gateway;
            }
        }

        /// <inheritdoc />
        public string Process(string eventJson)
        {
            lock (gate)
            {
                CloudEvent input = CloudEvent.Parse(eventJson);
                string correlationId = input.Attribute("correlationid");
                string reply = Answer(input, correlationId);
                return CloudEvent.Write(input.Attribute("replytopic") ?? replyType, source, correlationId, reply);
            }
        }

        /// <summary>Adds a command.</summary>
        /// <param name="name">Its name, in lower case.</param>
        /// <param name="handler">Runs it and returns what the reply holds beside command, success and worker; throws a
        /// <see cref="CommandException"/> when it cannot.</param>
        protected void On(string name, Func<Command, JsonObject> handler)
        {
            handlers.Add(name, handler);
            commands.Add(name);
        }

        /// <summary>Accepts an older name of a command. Replies carry the newer one.</summary>
        /// <param name="older">The older name, in lower case.</param>
        /// <param name="name">The name of the command.</param>
        protected void Alias(string older, string name)
        {
            aliases.Add(older, name);
        }

        private static string LowerAscii(string text)
        {
            var result = new StringBuilder(text);
            for (int i = 0; i < result.Length; i++)
            {
                if (result[i] >= 'A' && result[i] <= 'Z')
                {
                    result[i] = (char)(result[i] + ('a' - 'A'));
                }
            }

            return result.ToString();
        }

        private string Answer(CloudEvent input, string correlationId)
        {
            JsonObject data;
            try
            {
                data = input.DataObject();
            }
            catch (CommandException error)
            {
                return Failure(string.Empty, error);
            }

            if (correlationId == null)
            {
                return Run(data);
            }

            string key = Fingerprint.Of(JsonWriter.WriteSorted(data)) + " " + correlationId;
            string reply = memory.Find(key, clock.ElapsedMilliseconds);
            if (reply == null)
            {
                reply = Run(data);
                memory.Remember(key, reply, clock.ElapsedMilliseconds);
            }

            return reply;
        }

        private string Run(JsonObject data)
        {
            string name = LowerAscii(data.Get("command") as string ?? string.Empty);
            string newer;
            name = aliases.TryGetValue(name, out newer) ? newer : name;
            try
            {
                JsonObject result = Find(data, name)(new Command(data));
                var reply = new JsonObject().Set("command", name).Set("success", true).Set("worker", WorkerId);
                foreach (string field in result.Names)
                {
                    reply.Set(field, result.Get(field));
                }

                return JsonWriter.Write(reply);
            }
            catch (CommandException error)
            {
                return Failure(name, error);
            }
            catch (Exception error)
            {
                // A defect of a handler: the sender of the command is told, the worker lives on.
                return Failure(name, new CommandException(StatusName.Internal, error.GetType().Name + ": " + error.Message));
            }
        }

        private Func<Command, JsonObject> Find(JsonObject data, string name)
        {
            if (WorkerId == null)
            {
                throw new CommandException(StatusName.FailedPrecondition, "the worker is not started");
            }

            new Command(data).Text("command"); // throws when it is missing, empty or no string
            Func<Command, JsonObject> handler;
            if (!handlers.TryGetValue(name, out handler))
            {
                throw CommandException.Invalid(
                    "unknown command \"" + name + "\": known are " + string.Join(", ", commands.ToArray()));
            }

            return handler;
        }

        private string Failure(string name, CommandException error)
        {
            return JsonWriter.Write(new JsonObject()
                .Set("command", name)
                .Set("success", false)
                .Set("worker", WorkerId ?? string.Empty)
                .Set("message", error.Message)
                .Set("code", error.Code));
        }
    }
}
