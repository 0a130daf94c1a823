using System.Collections.Generic;

namespace Virtufin.DevKit
{
    /// <summary>Bounds how deep a value nests, before anything that calls itself goes down into it.</summary>
    public static class JsonDepth
    {
        /// <summary>Levels that a worker accepts: far more than any command has, far less than a stack bears.</summary>
        public const int MaxLevels = 64;

        /// <summary>Whether a value has at most <see cref="MaxLevels"/> levels of objects and lists.</summary>
        /// <param name="value">A value in the forms that <see cref="JsonObject"/> names.</param>
        public static bool IsBounded(object value)
        {
            var level = new List<object> { value };
            for (int depth = 0; depth < MaxLevels; depth++)
            {
                var deeper = new List<object>();
                foreach (object container in level)
                {
                    AddContainers(container, deeper);
                }

                if (deeper.Count == 0)
                {
                    return true;
                }

                level = deeper;
            }

            return false;
        }

        private static void AddContainers(object container, List<object> found)
        {
            var members = container as JsonObject;
            if (members != null)
            {
                foreach (string name in members.Names)
                {
                    AddIfContainer(members.Get(name), found);
                }
            }
            else if (container is List<object>)
            {
                foreach (object item in (List<object>)container)
                {
                    AddIfContainer(item, found);
                }
            }
        }

        private static void AddIfContainer(object value, List<object> found)
        {
            if (value is JsonObject || value is List<object>)
            {
                found.Add(value);
            }
        }
    }
}
